// Package kubernetes stands in for Pulumi's Go SDK for Kubernetes. The kubernetes provider
// uses a few names of it, for its component resources only (ConfigGroup, ConfigFile, Chart);
// compiling all of it takes five minutes and more of a cold build.
package kubernetes

import "reflect"

// UntypedArgs are the properties of a resource of any kind.
type UntypedArgs map[string]any

// ElementType is what the engine takes them as.
func (UntypedArgs) ElementType() reflect.Type { return reflect.TypeFor[map[string]any]() }
