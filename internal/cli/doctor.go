package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/internal/cpu"
	"github.com/refrain-lm/refrain/internal/kernel"
)

// finding is one check's answer.
type finding struct {
	Level string `json:"level"` // ok, warn, fail
	Check string `json:"check"`
	Text  string `json:"text"`
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "doctor", Short: "check this machine", Args: cobra.ArbitraryArgs}
	cmd.Flags().BoolVar(&asJSON, "json", false, "a JSON object a check")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("doctor looks at the machine; leave out %s", quotePath(args[0]))
		}
		return a.doctor(asJSON)
	}
	a.describe(cmd, page{
		summary:  "Check processor, kernels, memory, disk and terminal. The report names no user, host or path.",
		examples: []string{"doctor"},
		groups:   []flagGroup{{title: "How", names: []string{"json"}}},
	}, nil)
	return cmd
}

func (a *app) doctor(asJSON bool) error {
	checks := []func() finding{checkCPU, checkOverride, checkMemory, checkDisk, a.checkTerminal, checkGo}
	warnings, failures := 0, 0
	for _, check := range checks {
		f := check()
		switch f.Level {
		case "":
			continue
		case "warn":
			warnings++
		case "fail":
			failures++
		}
		if asJSON {
			if err := json.NewEncoder(a.out.w).Encode(f); err != nil {
				return err
			}
			continue
		}
		look := map[string]style{"warn": yellow, "fail": red}[f.Level]
		head := fmt.Sprintf("%-4s", f.Level)
		if look != "" {
			head = a.out.paint(look, head)
		}
		text := a.out.fit(strings.Repeat("x", 16)+f.Text, strings.Repeat(" ", 16))[16:]
		if _, err := fmt.Fprintf(a.out.w, "%s  %-8s  %s\n", head, f.Check, text); err != nil {
			return err
		}
	}
	if !asJSON {
		a.note("%s. Fit for a bug report: no user, host or path in it.", strings.Replace(plural(int64(warnings+failures), "warning", "warnings"), "0 w", "No w", 1))
	}
	if failures > 0 {
		return fmt.Errorf("%s failed; do not trust results of this machine", plural(int64(failures), "check", "checks"))
	}
	return nil
}

// checkCPU names the processor and runs the kernels beside plain Go.
func checkCPU() finding {
	f := finding{"ok", "cpu", cpu.Describe() + "; kernels " + kernel.Name()}
	if worst, where := kernelsDisagree(); worst > 1e-5 || math.IsNaN(worst) {
		return finding{"fail", "cpu", fmt.Sprintf("%s differ from plain Go by %.2g in %s: set REFRAIN_CPU=generic and report this", f.Text, worst, where)}
	}
	f.Text += ", agree with plain Go"
	return f
}

// kernelsDisagree is the largest relative error of the chosen kernels against
// plain float64 arithmetic on a small product, a sigmoid and a tanh.
func kernelsDisagree() (worst float64, where string) {
	const m, k, n = 5, 37, 43 // no multiple of any vector or panel
	a, b := make([]float32, m*k), make([]float32, k*n)
	for i := range a {
		a[i] = float32(math.Sin(float64(3*i + 1)))
	}
	for i := range b {
		b[i] = float32(math.Cos(float64(2*i + 1)))
	}
	note := func(got float32, want float64, name string) {
		if d := math.Abs(float64(got)-want) / (1 + math.Abs(want)); !(d <= worst) {
			worst, where = d, name
		}
	}
	var packed kernel.Packed
	packed.Pack(nil, b, k, n, n)
	c := make([]float32, m*n)
	kernel.GemmPool(nil, c, n, a, k, m, &packed)
	for i := range m {
		for j := range n {
			var sum float64
			for p := range k {
				sum += float64(a[i*k+p]) * float64(b[p*n+j])
			}
			note(c[i*n+j], sum, "the matrix product")
		}
	}
	s, t := append([]float32(nil), c...), append([]float32(nil), c...)
	kernel.Sigmoid(s)
	kernel.Tanh(t)
	for i, x := range c {
		note(s[i], 1/(1+math.Exp(-float64(x))), "the sigmoid")
		note(t[i], math.Tanh(float64(x)), "the tanh")
	}
	return worst, where
}

func checkOverride() finding {
	if err := cpu.OverrideError(); err != nil {
		return finding{"warn", "override", tidy(err)}
	}
	if v := os.Getenv(cpu.OverrideVariable); v != "" {
		return finding{"warn", "override", cpu.OverrideVariable + "=" + visible(v) + " chooses the kernels"}
	}
	return finding{}
}

// memoryWish is what the largest common model asks for: LSTM 3x1150 over
// 10,000 words, batch 64x70.
const memoryWish = 1_400_000_000

func checkMemory() finding {
	free, total := machineMemory()
	switch {
	case total == 0:
		return finding{"ok", "memory", "not known on this system"}
	case free < memoryWish:
		return finding{"warn", "memory", size(free) + " free; LSTM 3x1150 wants " + size(memoryWish) + ": --batch-size 20"}
	}
	return finding{"ok", "memory", size(free) + " free of " + size(total)}
}

// checkDisk looks at the folder in which models would be made.
func checkDisk() finding {
	probe, err := os.MkdirTemp(".", ".refrain-doctor-")
	if err != nil {
		return finding{"warn", "disk", "this folder cannot be written: give train another with --out"}
	}
	_ = os.Remove(probe)
	free, err := checkpoint.FreeSpace(".")
	switch {
	case err != nil:
		return finding{"ok", "disk", "writable; free space is not known on this system"}
	case free < 1e9:
		return finding{"warn", "disk", size(free) + " free here; a large model's run takes 1 GB"}
	}
	return finding{"ok", "disk", size(free) + " free here"}
}

// checkTerminal judges standard error, where the bar would be.
func (a *app) checkTerminal() finding {
	if !a.err.terminal {
		return finding{"ok", "terminal", "none: plain lines every 30 s, no bar"}
	}
	columns, rows := a.err.size()
	locale := a.env["LC_ALL"]
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = a.env[name]
		}
	}
	charset, colours := "no UTF-8 locale (all symbols are ASCII)", "no colour"
	if up := strings.ToUpper(locale); strings.Contains(up, "UTF-8") || strings.Contains(up, "UTF8") || runtime.GOOS == "windows" {
		charset = "UTF-8"
	}
	if a.err.colour {
		colours = "8 colours"
	}
	f := finding{"ok", "terminal", fmt.Sprintf("%dx%d, %s, %s", columns, rows, charset, colours)}
	if columns < narrow {
		f.Level, f.Text = "warn", f.Text+"; the bar is left out under 60 columns"
	}
	return f
}

func checkGo() finding {
	return finding{"ok", "go", fmt.Sprintf("%s %s/%s, refrain %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, moduleVersion())}
}
