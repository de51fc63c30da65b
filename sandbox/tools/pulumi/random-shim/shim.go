// Package shim re-exports the random provider. The provider is an internal package of its
// module; only a module whose path lies below that one's may import it.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"

	random "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// NewProvider returns the provider that the bridge serves.
func NewProvider() provider.Provider { return random.New() }
