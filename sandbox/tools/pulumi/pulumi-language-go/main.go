// Command pulumi-language-go is the language host of Pulumi programs in Go: the CLI starts it for
// `runtime: go`, and asks it for all that depends on the language. It stands in for Pulumi's own
// host, which is no published module, and is not derived from it. It runs programs, generates and
// links SDKs; it does not run plugins or policies, attach a debugger, translate programs to Go, or
// read options of the runtime.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	golang "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// version is set by the linker.
var version string

func main() {
	flag.Parse()
	h := &host{engine: flag.Arg(0)}
	stop := make(chan bool)
	if h.engine != "" {
		// An engine that was killed does not stop its hosts.
		if err := rpcutil.Healthcheck(context.Background(), h.engine, time.Minute, func() { close(stop) }); err != nil {
			log.Fatal(err)
		}
	}
	server, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: stop,
		Init:   func(s *grpc.Server) error { rpc.RegisterLanguageRuntimeServer(s, h); return nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	// The engine reads the port from the first line; what follows it shows to the user.
	fmt.Println(server.Port)
	if err := <-server.Done; err != nil {
		log.Fatal(err)
	}
}

type host struct {
	rpc.UnimplementedLanguageRuntimeServer
	engine string
}

// Handshake tells the engine's address to a host that was not started by it.
func (h *host) Handshake(_ context.Context, req *rpc.LanguageHandshakeRequest) (*rpc.LanguageHandshakeResponse, error) {
	h.engine = req.EngineAddress
	return &rpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: version}, nil
}

func (h *host) About(ctx context.Context, _ *rpc.AboutRequest) (*rpc.AboutResponse, error) {
	executable, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	goVersion, err := output(ctx, "", "env", "GOVERSION")
	return &rpc.AboutResponse{Executable: executable, Version: goVersion}, err
}

// RuntimeOptionsPrompts has no question for `pulumi new`.
func (h *host) RuntimeOptionsPrompts(context.Context, *rpc.RuntimeOptionsRequest) (*rpc.RuntimeOptionsResponse, error) {
	return &rpc.RuntimeOptionsResponse{}, nil
}

// GetRequiredPackages finds the SDKs that the program imports by the file that each has in its topmost package.
func (h *host) GetRequiredPackages(
	ctx context.Context, req *rpc.GetRequiredPackagesRequest,
) (*rpc.GetRequiredPackagesResponse, error) {
	response := &rpc.GetRequiredPackagesResponse{}
	list, err := output(ctx, req.Info.ProgramDirectory, "list", "-deps", "-f", "{{if not .Standard}}{{.Dir}}{{end}}", ".")
	if err != nil {
		// Run tells what is wrong with the program, as an error of the update.
		return response, nil
	}
	folders := map[string]bool{}
	for folder := range strings.Lines(list) {
		folder = strings.TrimSpace(folder)
		folders[folder] = true
		// All packages of an SDK import its internal package, which is beside the file.
		folders[filepath.Dir(folder)] = true
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		info, err := plugin.LoadPulumiPluginJSON(filepath.Join(folder, "pulumi-plugin.json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("pulumi-plugin.json in %s: %w", folder, err)
		}
		if !info.Resource {
			continue
		}
		dependency := &rpc.PackageDependency{Kind: "resource", Name: info.Name, Version: info.Version, Server: info.Server}
		if p := info.Parameterization; p != nil {
			dependency.Parameterization = &rpc.PackageParameterization{Name: p.Name, Version: p.Version, Value: p.Value}
		}
		response.Packages = append(response.Packages, dependency)
	}
	return response, nil
}

// InstallDependencies also writes the go.sum that a project from a template does not have.
func (h *host) InstallDependencies(
	req *rpc.InstallDependenciesRequest, server grpc.ServerStreamingServer[rpc.InstallDependenciesResponse],
) error {
	_, _, stderr, err := rpcutil.MakeInstallDependenciesStreams(server, false)
	if err != nil {
		return err
	}
	tidy := command(server.Context(), req.Info.ProgramDirectory, "mod", "tidy")
	tidy.Stderr = stderr
	if err := tidy.Run(); err != nil {
		return fmt.Errorf("go mod tidy: %w", err)
	}
	return nil
}

// Run compiles the program and runs it; what both print, the engine shows.
func (h *host) Run(ctx context.Context, req *rpc.RunRequest) (*rpc.RunResponse, error) {
	scratch, err := os.MkdirTemp("", "pulumi-go-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	binary := filepath.Join(scratch, "program")
	build := command(ctx, req.Info.ProgramDirectory, "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return &rpc.RunResponse{Error: fmt.Sprintf("the program does not compile: go build: %v", err)}, nil
	}
	config, err := json.Marshal(req.Config)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(req.ConfigSecretKeys)
	if err != nil {
		return nil, err
	}
	program := exec.CommandContext(ctx, binary, req.Args...)
	program.Dir, program.Stdout, program.Stderr = req.Pwd, os.Stdout, os.Stderr
	program.Env = os.Environ()
	for name, value := range map[string]string{
		pulumi.EnvOrganization:        req.Organization,
		pulumi.EnvProject:             req.Project,
		pulumi.EnvPulumiRootDirectory: req.Info.RootDirectory,
		pulumi.EnvStack:               req.Stack,
		pulumi.EnvConfig:              string(config),
		pulumi.EnvConfigSecretKeys:    string(secretKeys),
		pulumi.EnvDryRun:              strconv.FormatBool(req.DryRun),
		pulumi.EnvParallel:            strconv.Itoa(int(req.Parallel)),
		pulumi.EnvMonitor:             req.MonitorAddress,
		pulumi.EnvEngine:              h.engine,
	} {
		program.Env = append(program.Env, name+"="+value)
	}
	if err := program.Start(); err != nil {
		return nil, err
	}
	// Already now, as the engine kills a host whose update is interrupted; the program keeps what it runs from.
	os.RemoveAll(scratch)
	err = program.Wait()
	// With this exit status the SDK says that it told the engine what is wrong.
	if program.ProcessState.ExitCode() == constant.ExitStatusLoggedError {
		return &rpc.RunResponse{Bail: true}, nil
	} else if err != nil {
		return &rpc.RunResponse{Error: fmt.Sprintf("the program failed: %v", err)}, nil
	}
	return &rpc.RunResponse{}, nil
}

func (h *host) GeneratePackage(_ context.Context, req *rpc.GeneratePackageRequest) (*rpc.GeneratePackageResponse, error) {
	loader, err := schema.NewLoaderClient(req.LoaderTarget)
	if err != nil {
		return nil, err
	}
	defer loader.Close()
	var spec schema.PackageSpec
	if err := json.Unmarshal([]byte(req.Schema), &spec); err != nil {
		return nil, err
	}
	// Providers are released with references to types that they do not describe.
	bound, diagnostics, err := schema.BindSpec(spec, loader, schema.ValidationOptions{AllowDanglingReferences: true})
	if err != nil {
		return nil, err
	}
	response := &rpc.GeneratePackageResponse{Diagnostics: plugin.HclDiagnosticsToRPCDiagnostics(diagnostics)}
	if diagnostics.HasErrors() {
		return response, nil
	}
	// A program can replace a module by a folder only if that has a go.mod, which the generator writes for those that pack.
	bound.SupportPack = bound.SupportPack || req.Local
	files, err := golang.GeneratePackage("pulumi-language-go", bound, req.LocalDependencies)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, req.ExtraFiles)
	for name, content := range files {
		at := filepath.Join(req.Directory, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(at, content, 0o644); err != nil {
			return nil, err
		}
	}
	return response, nil
}

// Link lets the program's go.mod replace the modules of generated SDKs by their folders. It does not
// require them: that comes with their first import, and would be tidied away before.
func (h *host) Link(ctx context.Context, req *rpc.LinkRequest) (*rpc.LinkResponse, error) {
	var instructions strings.Builder
	for _, dependency := range req.Packages {
		folder := filepath.Join(req.Info.RootDirectory, dependency.Path)
		module, err := output(ctx, folder, "list", "-m")
		if err != nil {
			return nil, err
		}
		from, err := filepath.Rel(req.Info.ProgramDirectory, folder)
		if err != nil {
			return nil, err
		}
		replace := fmt.Sprintf("-replace=%s=.%c%s", module, filepath.Separator, from)
		if _, err := output(ctx, req.Info.ProgramDirectory, "mod", "edit", replace); err != nil {
			return nil, err
		}
		fmt.Fprintf(&instructions, "Import a package of %s, and run `go mod tidy`.\n", module)
	}
	return &rpc.LinkResponse{ImportInstructions: instructions.String()}, nil
}

func command(ctx context.Context, folder string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir = folder
	return command
}

// output returns what a command of Go prints; its error has what it complains of.
func output(ctx context.Context, folder string, arguments ...string) (string, error) {
	stdout, err := command(ctx, folder, arguments...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w\n%s", strings.Join(arguments, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(stdout)), err
}
