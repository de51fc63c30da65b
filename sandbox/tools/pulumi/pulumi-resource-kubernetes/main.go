// Command pulumi-resource-kubernetes serves the official kubernetes provider. Its own main
// package embeds two files that its release build generates, so it does not build from the
// module; the build lays the same two files of the module over this folder (go build -overlay).
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

// version is set by the linker.
var version string

func main() { provider.Serve("kubernetes", version, schema, terraformMapping) }
