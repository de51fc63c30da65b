// Command pulumi-resource-minio bridges the Minio provider as the official plugin does, over
// a newer release of it: the one that the official 0.17.1 bridges is not published as a module.
package main

import (
	"encoding/json"
	"io"
	"log"

	minio "github.com/aminueza/terraform-provider-minio/v2/minio"
	bridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
)

// version is set by the linker.
var version string

func main() {
	info := bridge.ProviderInfo{
		Name:         "minio",
		Version:      version,
		P:            sdkv2.NewProvider(minio.Provider()),
		MetadataInfo: bridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*bridge.ResourceInfo{
			"minio_s3_bucket": {Fields: map[string]*bridge.SchemaInfo{"quota": {Type: "number"}}},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("minio_", "index", tokens.MakeStandard("minio")))
	info.SetAutonaming(255, "-")
	schema, err := tfgen.GenerateSchema(info, diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never}))
	if err != nil {
		log.Fatal(err)
	}
	encoded, err := json.Marshal(schema)
	if err != nil {
		log.Fatal(err)
	}
	bridge.Main("minio", version, info, encoded)
}
