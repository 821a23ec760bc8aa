package main

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/json"
	"github.com/zclconf/go-cty/cty/msgpack"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/encoding/protowire"
)

// message is an encoded protobuf message; the few fields that matter are read and written by their numbers, which
// are those of Terraform's tfplugin6.proto.
type message []byte

// codec lets our messages through as they are and leaves go-plugin's own services to the usual codec.
type codec struct{ encoding.Codec }

func (c codec) Marshal(value interface{}) ([]byte, error) {
	if own, ok := value.(*message); ok {
		return *own, nil
	}
	return c.Codec.Marshal(value)
}

func (c codec) Unmarshal(data []byte, value interface{}) error {
	if own, ok := value.(*message); ok {
		*own = append(message(nil), data...)
		return nil
	}
	return c.Codec.Unmarshal(data, value)
}

// field returns the last value of a length-delimited field; nil when there is none.
func (m message) field(wanted protowire.Number) message {
	var found message
	for rest := []byte(m); len(rest) > 0; {
		number, kind, used := protowire.ConsumeTag(rest)
		if used < 0 {
			return nil
		}
		rest = rest[used:]
		if number == wanted && kind == protowire.BytesType {
			value, used := protowire.ConsumeBytes(rest)
			if used < 0 {
				return nil
			}
			found, rest = value, rest[used:]
			continue
		}
		if used = protowire.ConsumeFieldValue(number, kind, rest); used < 0 {
			return nil
		}
		rest = rest[used:]
	}
	return found
}

func (m message) with(number protowire.Number, value []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, number, protowire.BytesType), value)
}

func (m message) withNumber(number protowire.Number, value uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.VarintType), value)
}

// value decodes a DynamicValue that stands in the given field.
func (m message) value(number protowire.Number, kind cty.Type) (cty.Value, error) {
	dynamic := m.field(number)
	if packed := dynamic.field(1); len(packed) > 0 {
		return msgpack.Unmarshal(packed, kind)
	}
	if text := dynamic.field(2); len(text) > 0 {
		return json.Unmarshal(text, kind)
	}
	return cty.NullVal(kind), nil
}

func (m message) withValue(number protowire.Number, value cty.Value, kind cty.Type) (message, error) {
	packed, err := msgpack.Marshal(value, kind)
	if err != nil {
		return nil, err
	}
	return m.with(number, message(nil).with(1, packed)), nil
}

// failed is an answer that consists of one diagnostic.
func failed(number protowire.Number, err error) message {
	const severityError = 1
	diagnostic := message(nil).withNumber(1, severityError).with(2, []byte(fmt.Sprint(err)))
	return message(nil).with(number, diagnostic)
}

// Bits of an attribute in a schema; they are the field numbers in the protocol.
const (
	required protowire.Number = 4
	optional protowire.Number = 5
	computed protowire.Number = 6
)

type attribute struct {
	name string
	kind cty.Type
	how  protowire.Number
}

func objectOf(attributes []attribute) cty.Type {
	members := map[string]cty.Type{}
	for _, each := range attributes {
		members[each.name] = each.kind
	}
	return cty.Object(members)
}

func schemaOf(attributes []attribute) message {
	var block message
	for _, each := range attributes {
		kind, err := json.MarshalType(each.kind)
		if err != nil {
			panic(err)
		}
		block = block.with(2, message(nil).with(1, []byte(each.name)).with(2, kind).withNumber(each.how, 1))
	}
	return message(nil).with(2, block)
}
