// Command pulumi-resource-random bridges the random provider as the official plugin does.
package main

import (
	"context"
	"log"
	"strings"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/terraform-providers/terraform-provider-random/shim"
)

// version is set by the linker.
var version string

func main() {
	ctx := context.Background()
	standard := tokens.MakeStandard("random")
	info := bridge.ProviderInfo{
		Name:         "random",
		Version:      version,
		P:            tfbridge.ShimProvider(shim.NewProvider()),
		MetadataInfo: bridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*bridge.ResourceInfo{
			"random_bytes": {ComputeID: bridge.DelegateIDField("base64", "random", "")},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("random_", "index", func(module, name string) (string, error) {
		return standard(module, "Random"+strings.TrimPrefix(name, "Random"))
	}))
	schema, err := tfgen.GenerateSchema(ctx, tfgen.GenerateSchemaOptions{ProviderInfo: info})
	if err != nil {
		log.Fatal(err)
	}
	tfbridge.Main(ctx, "random", info, schema.ProviderMetadata)
}
