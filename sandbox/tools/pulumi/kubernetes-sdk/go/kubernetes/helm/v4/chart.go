// Package v4 has the two arguments of a Chart that the provider takes by type.
package v4

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// RepositoryOptsInput is an Input of RepositoryOpts.
type RepositoryOptsInput interface{ pulumi.Input }

// RepositoryOpts says where a chart's repository is, and how to log in.
type RepositoryOpts struct {
	CaFile   pulumi.AssetOrArchive `pulumi:"caFile"`
	CertFile pulumi.AssetOrArchive `pulumi:"certFile"`
	KeyFile  pulumi.AssetOrArchive `pulumi:"keyFile"`
	Password *string               `pulumi:"password"`
	Repo     *string               `pulumi:"repo"`
	Username *string               `pulumi:"username"`
}

// PostRendererInput is an Input of PostRenderer.
type PostRendererInput interface{ pulumi.Input }

// PostRenderer is a command that a chart's rendered manifests are piped through.
type PostRenderer struct {
	Args    []string `pulumi:"args"`
	Command string   `pulumi:"command"`
}
