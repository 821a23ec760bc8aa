package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	"google.golang.org/protobuf/encoding/protowire"
)

var (
	settings = []attribute{
		{"list_once", cty.Bool, optional}, // refresh from one listing in place of a request for each Subscription
	}
	subscription = []attribute{
		{"id", cty.Number, computed},
		{"customer_id", cty.Number, required},
		{"name", cty.String, required},
		{"marker", cty.String, optional},
		{"quantity", cty.Number, required}, // Terraform keeps the word "count" for itself
	}
	clients = []attribute{
		{"counts", cty.Map(cty.Number), computed}, // active users by the client's id
	}
	settingsType, subscriptionType, clientsType = objectOf(settings), objectOf(subscription), objectOf(clients)
)

type provider struct {
	api      *api
	listOnce bool
}

func newProvider() *provider { return &provider{api: newAPI()} }

func (p *provider) schema(context.Context, message) (message, error) {
	entry := func(name string, attributes []attribute) []byte {
		return message(nil).with(1, []byte(name)).with(2, schemaOf(attributes))
	}
	const schemaOptional = 2
	out := message(nil).with(1, schemaOf(settings))
	out = out.with(2, entry("halo_subscription", subscription))
	out = out.with(3, entry("halo_infima_clients", clients))
	return out.with(6, message(nil).withNumber(schemaOptional, 1)), nil
}

// valid finds nothing wrong: Terraform itself checks values against the schema.
func (p *provider) valid(context.Context, message) (message, error) { return nil, nil }

func (p *provider) configure(_ context.Context, in message) (message, error) {
	config, err := in.value(2, settingsType)
	if err != nil {
		return failed(1, err), nil
	}
	if flag := config.GetAttr("list_once"); !flag.IsNull() {
		p.listOnce = flag.True()
	}
	return nil, nil
}

// upgrade hands the stored state back as it is; there has been one version of the schema only.
func (p *provider) upgrade(_ context.Context, in message) (message, error) {
	stored := in.field(3).field(1)
	return message(nil).with(1, message(nil).with(2, stored)), nil
}

func (p *provider) read(ctx context.Context, in message) (message, error) {
	state, err := in.value(2, subscriptionType)
	if err != nil {
		return failed(2, err), nil
	}
	id := whole(state.GetAttr("id"))
	find := p.api.one
	if p.listOnce {
		find = p.api.listed
	}
	row, err := find(ctx, id)
	if err != nil {
		return failed(2, err), nil
	}
	now := cty.NullVal(subscriptionType)
	if row != nil {
		now = row.state()
	}
	return answer(1, now, subscriptionType, 2)
}

func (p *provider) plan(_ context.Context, in message) (message, error) {
	prior, err := in.value(2, subscriptionType)
	if err != nil {
		return failed(4, err), nil
	}
	proposed, err := in.value(3, subscriptionType)
	if err != nil {
		return failed(4, err), nil
	}
	if proposed.IsNull() {
		return answer(1, proposed, subscriptionType, 4)
	}
	moved := !prior.IsNull() && !prior.GetAttr("customer_id").RawEquals(proposed.GetAttr("customer_id"))
	if prior.IsNull() || moved {
		members := proposed.AsValueMap()
		members["id"] = cty.UnknownVal(cty.Number)
		proposed = cty.ObjectVal(members)
	}
	out, err := answer(1, proposed, subscriptionType, 4)
	if moved {
		out = out.with(2, message(nil).with(1, message(nil).with(1, []byte("customer_id"))))
	}
	return out, err
}

func (p *provider) apply(ctx context.Context, in message) (message, error) {
	prior, err := in.value(2, subscriptionType)
	if err != nil {
		return failed(3, err), nil
	}
	planned, err := in.value(3, subscriptionType)
	if err != nil {
		return failed(3, err), nil
	}
	if planned.IsNull() {
		if err = p.api.remove(ctx, whole(prior.GetAttr("id"))); err != nil {
			return failed(3, err), nil
		}
		return answer(1, planned, subscriptionType, 3)
	}
	row, err := p.api.write(ctx, wanted(prior, planned))
	if err != nil {
		return failed(3, err), nil
	}
	return answer(1, row.state(), subscriptionType, 3)
}

// wanted is what HaloPSA is told: everything at a create, only what differs at an update.
func wanted(prior, planned cty.Value) map[string]interface{} {
	out := map[string]interface{}{}
	if prior.IsNull() {
		out["type"], out["client_id"] = 1, whole(planned.GetAttr("customer_id"))
	} else {
		out["id"] = whole(prior.GetAttr("id"))
	}
	for name, member := range map[string]string{"name": "name", "marker": "snowid"} {
		if now := planned.GetAttr(name); !now.IsNull() && (prior.IsNull() || !prior.GetAttr(name).RawEquals(now)) {
			out[member] = now.AsString()
		}
	}
	out["count"] = whole(planned.GetAttr("quantity"))
	return out
}

func (p *provider) readClients(ctx context.Context, in message) (message, error) {
	found, err := p.api.counts(ctx)
	if err != nil {
		return failed(2, err), nil
	}
	counts := map[string]cty.Value{}
	for id, count := range found {
		counts[strconv.FormatInt(id, 10)] = cty.NumberIntVal(count)
	}
	if len(counts) == 0 {
		return failed(2, fmt.Errorf("INFIMA lists no client")), nil
	}
	return answer(1, cty.ObjectVal(map[string]cty.Value{"counts": cty.MapVal(counts)}), clientsType, 2)
}

func answer(number protowire.Number, value cty.Value, kind cty.Type, problems protowire.Number) (message, error) {
	out, err := message(nil).withValue(number, value, kind)
	if err != nil {
		return failed(problems, err), nil
	}
	return out, nil
}

func whole(value cty.Value) int64 {
	if value.IsNull() || !value.IsKnown() {
		return 0
	}
	number, _ := value.AsBigFloat().Int64()
	return number
}
