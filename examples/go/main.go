package main

import (
	"example.com/pulumi-homelab-registry/sdk/go/homelabregistry"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		registry, err := homelabregistry.NewContainerRegistry(ctx, "go", &homelabregistry.ContainerRegistryArgs{
			Host: pulumi.String("go.example.com"),
			Users: []homelabregistry.UserArgs{
				{Name: "ci"},
				{Name: "alice", Password: config.RequireSecret(ctx, "alicePassword")},
			},
			Bucket: homelabregistry.BucketArgs{
				Name:     pulumi.String("go-images"),
				Endpoint: pulumi.String("minio.minio.svc.cluster.local:9000"),
			},
			Ingress: &homelabregistry.IngressArgs{
				ClassName:     pulumi.String("traefik"),
				ClusterIssuer: pulumi.String("letsencrypt-prod"),
			},
		})
		if err != nil {
			return err
		}
		ctx.Export("host", registry.Host)
		ctx.Export("passwords", registry.Passwords)
		return nil
	})
}
