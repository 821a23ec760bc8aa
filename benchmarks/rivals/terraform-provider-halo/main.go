// A Terraform provider for HaloPSA Subscriptions and INFIMA user counts, as small as a real one can be.
//
// It speaks plugin protocol 6 and is made to be measured against: one request for each Subscription that Terraform
// refreshes, one for each that it changes, kept connections, one token, nothing checked.
package main

import (
	"context"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

const service = "tfplugin6.Provider"

type method func(p *provider, ctx context.Context, in message) (message, error)

var methods = map[string]method{
	"GetProviderSchema":          (*provider).schema,
	"ValidateProviderConfig":     (*provider).valid,
	"ValidateResourceConfig":     (*provider).valid,
	"ValidateDataResourceConfig": (*provider).valid,
	"ConfigureProvider":          (*provider).configure,
	"UpgradeResourceState":       (*provider).upgrade,
	"ReadResource":               (*provider).read,
	"PlanResourceChange":         (*provider).plan,
	"ApplyResourceChange":        (*provider).apply,
	"ReadDataSource":             (*provider).readClients,
	"StopProvider":               (*provider).valid,
}

// served tells go-plugin how the provider is registered with gRPC.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	provider *provider
}

func (s served) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	description := grpc.ServiceDesc{ServiceName: service, HandlerType: (*interface{})(nil)}
	for name, method := range methods {
		description.Methods = append(description.Methods, grpc.MethodDesc{MethodName: name, Handler: handler(method)})
	}
	server.RegisterService(&description, s.provider)
	return nil
}

func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (interface{}, error) {
	return nil, nil
}

func handler(method method) func(interface{}, context.Context, func(interface{}) error, grpc.UnaryServerInterceptor) (interface{}, error) {
	return func(server interface{}, ctx context.Context, decode func(interface{}) error, _ grpc.UnaryServerInterceptor) (interface{}, error) {
		var in message
		if err := decode(&in); err != nil {
			return nil, err
		}
		out, err := method(server.(*provider), ctx, in)
		return &out, err
	}
}

func main() {
	encoding.RegisterCodec(codec{encoding.GetCodec("proto")})
	cookie := "TF_PLUGIN_MAGIC_COOKIE"
	plugin.Serve(&plugin.ServeConfig{
		// The cookie tells a person who starts the binary by hand that it is a plugin; whatever Terraform says is right.
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: cookie, MagicCookieValue: os.Getenv(cookie)},
		VersionedPlugins: map[int]plugin.PluginSet{6: {"provider": served{provider: newProvider()}}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(64<<20))...)
		},
		Logger: hclog.NewNullLogger(),
	})
}
