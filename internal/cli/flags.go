package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/refrain-lm/refrain/internal/typo"
)

// Where a value came from, as dry runs and plans name it.
const (
	fromFlag   = "flag"
	fromEnv    = "env"
	fromConfig = "config"
)

// envPrefix starts the name of every environment variable of ours.
const envPrefix = "REFRAIN_"

// otherVariables are ours too, but no flags: the kernels' override and the
// folder of the tests' data.
var otherVariables = map[string]bool{"REFRAIN_CPU": true, "REFRAIN_DATA": true}

// envName is the environment variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// commandLineOnly are flags that ask for something now and are no settings.
var commandLineOnly = map[string]bool{"help": true, "all": true, "version": true, "config": true}

// settle fills the flags that were not given from the environment and the
// config file, and notes where each value came from.
func (a *app) settle(cmd *cobra.Command) error {
	cmd.Flags().Visit(func(f *pflag.Flag) { a.origin[f.Name] = fromFlag })
	if err := a.fromEnvironment(cmd); err != nil {
		return err
	}
	if a.config == "" {
		a.config = a.env[envName("config")]
	}
	if a.config != "" {
		if err := a.fromConfig(cmd, a.config); err != nil {
			return err
		}
	}
	switch a.colour {
	case "auto", "always", "never":
	default:
		return usagef("--color %s: takes auto, always or never", quote(a.colour))
	}
	if a.origin["color"] != "" && a.colour != "auto" {
		a.out.colour = a.colour == "always"
		a.err.colour = a.colour == "always"
	}
	return nil
}

// fromEnvironment reads REFRAIN_*; a variable that is no flag of any verb gets
// a warning, since it is most likely misspelt.
func (a *app) fromEnvironment(cmd *cobra.Command) error {
	var names []string
	for name := range a.env {
		if strings.HasPrefix(name, envPrefix) && !otherVariables[name] && name != envName("config") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, envPrefix), "_", "-"))
		f := cmd.Flags().Lookup(flag)
		switch {
		case commandLineOnly[flag] || f == nil && !isFlagOfAny(cmd.Root(), flag):
			a.warn("%s is no setting; %s", name, strings.ReplaceAll(flagHint(cmd, flag), "--", "flag --"))
		case f == nil || a.origin[flag] != "":
		default:
			if err := setFrom(f, a.env[name]); err != nil {
				return usagef("%s=%s: %s", name, quote(a.env[name]), err)
			}
			a.origin[flag] = fromEnv
		}
	}
	return nil
}

// setFrom sets a flag from text found elsewhere than on the command line.
func setFrom(f *pflag.Flag, value string) error {
	err := f.Value.Set(value)
	if err == nil {
		return nil
	}
	var own usageError
	if errors.As(err, &own) {
		return own
	}
	return errors.New(typo.Value(err))
}

func isFlagOfAny(root *cobra.Command, name string) bool {
	for _, c := range root.Commands() {
		if c.Flags().Lookup(name) != nil {
			return true
		}
	}
	return false
}

// setting is one line of a config file.
type setting struct {
	name   string
	values []string
	line   int
}

// fromConfig reads a YAML file of flag names and values. A key may be any
// verb's flag, so that one file serves a whole project.
func (a *app) fromConfig(cmd *cobra.Command, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	defer file.Close()
	const most = 1 << 20
	raw, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return fmt.Errorf("--config %s: %w", path, err)
	}
	if len(raw) > most {
		return usagef("--config %s: larger than 1 MB; this is no config file", path)
	}
	settings, err := parseConfig(raw)
	if err != nil {
		return usagef("--config %s: %s", path, err)
	}
	for _, s := range settings {
		if err := a.apply(cmd, s); err != nil {
			return usagef("--config %s: line %d: %s", path, s.line, err)
		}
	}
	return nil
}

// apply sets one flag from a config file, unless it was set already.
func (a *app) apply(cmd *cobra.Command, s setting) error {
	f := cmd.Flags().Lookup(s.name)
	switch {
	case commandLineOnly[s.name]:
		return fmt.Errorf("%s is for the command line only", s.name)
	case f == nil && isFlagOfAny(cmd.Root(), s.name):
		return nil
	case f == nil:
		return fmt.Errorf("no setting %s; %s", s.name, strings.ReplaceAll(flagHint(cmd, s.name), "--", ""))
	case a.origin[s.name] != "":
		return nil
	}
	if _, list := f.Value.(pflag.SliceValue); len(s.values) != 1 && !list {
		return fmt.Errorf("%s takes one value", s.name)
	}
	for _, v := range s.values {
		if err := setFrom(f, v); err != nil {
			return fmt.Errorf("%s %s: %w", s.name, quote(v), err)
		}
	}
	a.origin[s.name] = fromConfig
	return nil
}

// parseConfig reads "name: value" lines; values keep the letters they were
// written with, so that 1e-3 or 10m reach the flag as typed.
func parseConfig(raw []byte) ([]setting, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, errors.New(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, errors.New(`not a list of "name: value" lines`)
	}
	var out []setting
	seen := map[string]bool{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		s := setting{name: strings.ReplaceAll(key.Value, "_", "-"), line: key.Line}
		if key.Kind != yaml.ScalarNode || s.name == "" {
			return nil, fmt.Errorf("line %d: not a flag's name", key.Line)
		}
		if seen[s.name] {
			return nil, fmt.Errorf("line %d: %s stands there twice", key.Line, s.name)
		}
		seen[s.name] = true
		values := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			values = value.Content
		}
		for _, v := range values {
			if v.Kind != yaml.ScalarNode || v.Tag == "!!null" {
				return nil, fmt.Errorf("line %d: %s needs a plain value", v.Line, s.name)
			}
			s.values = append(s.values, v.Value)
		}
		out = append(out, s)
	}
	return out, nil
}
