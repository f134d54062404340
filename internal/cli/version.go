package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/internal/kernel"
)

// printVersion names the module's version, its commit, Go and the kernels.
func (a *app) printVersion() error {
	_, err := fmt.Fprintf(a.out.w, "refrain %s %s %s/%s kernels=%s\n", moduleVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, kernel.Name())
	return err
}

// moduleVersion is the version go install knows, else the commit.
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	commit, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+changes"
		}
	}
	if commit == "" {
		return "(devel)"
	}
	return commit + changed
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "version", Short: "print the version", Hidden: true, Args: cobra.ArbitraryArgs}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return usagef("version takes no arguments; leave out %s", quote(args[0]))
		case asJSON:
			return json.NewEncoder(a.out.w).Encode(map[string]string{
				"version": moduleVersion(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "kernels": kernel.Name(),
			})
		}
		return a.printVersion()
	}
	a.describe(cmd, page{
		summary:  "Print the version, Go's, the system and the kernels in use.",
		examples: []string{"version"},
		groups:   []flagGroup{{title: "How", names: []string{"json"}}},
	}, nil)
	return cmd
}
