package train

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/refrain-lm/refrain/eval"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/ngram"
)

// card writes the model card. It holds nothing that depends on when or how
// fast the run was made.
func (j *Job) card(w io.Writer, out Outcome) error {
	p := j.plan
	var b strings.Builder
	if p.Ngram != nil {
		fmt.Fprintf(&b, "# %s\n\nInterpolated modified Kneser-Ney, %s tokens (vocabulary %d).\n\n", p.Ngram, j.tok.Kind(), p.Ngram.Vocab)
	} else {
		fmt.Fprintf(&b, "# %s\n\n%s, %d parameters, %s tokens (vocabulary %d), float32.\n\n", p.Model, architecture(p.Model), p.Params, j.tok.Kind(), p.Model.Vocab)
	}
	fmt.Fprintf(&b, "## Data\n\n| text | bytes | SHA-256 |\n|---|---|---|\n")
	for _, s := range p.Data.Sources {
		fmt.Fprintf(&b, "| %s | %d | %s |\n", strings.ReplaceAll(s.Name, "|", "\\|"), s.Bytes, s.SHA256)
	}
	fmt.Fprintf(&b, "\n%d tokens train, %d validate.\n\n", p.Data.Train.Tokens, p.Data.Valid.Tokens)
	fmt.Fprintf(&b, "## Training\n\n    %s\n\n", strings.Join(p.Command, " "))
	if v := p.Vectors; v != nil {
		fmt.Fprintf(&b, "The embedding begins with %s (SHA-256 %s): %d of %d %ss, the others at random.%s\n\n",
			filepath.Base(v.Path), v.SHA256, v.Found, v.Words, j.tok.Unit(), map[bool]string{true: " It is not trained."}[p.Settings.Freeze])
	}
	if p.Ngram != nil {
		fmt.Fprintf(&b, "Counted once, %s, Refrain %s. config.json has the discounts, plan.json every setting.\n\n## Results\n\n", reach(*p.Ngram), version())
	} else {
		fmt.Fprintf(&b, "%d steps of %dx%d tokens, seed %d, %s kernels, %s products, Refrain %s. plan.json has every setting.\n\n",
			out.Steps, p.Settings.BatchSize, p.Settings.BPTT, p.Settings.Seed, p.Kernels, p.Settings.Precision, version())
		fmt.Fprintf(&b, "## Results\n\nBest validation loss during training: %.4f nats/%s at step %d (fixed chunks).\n\n", out.Best, out.Unit, out.BestStep)
	}
	if r := out.Result; !p.Trial {
		fmt.Fprintf(&b, "`eval` on the first %d validation tokens, one stream: %.4f nats/%s, perplexity %s", r.Tokens+1, r.Loss(), out.Unit, perplexity(r))
		if bits := r.BitsPerByte(); !math.IsNaN(bits) {
			fmt.Fprintf(&b, ", %.3f bits/byte", bits)
		}
		b.WriteString(".\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// perplexity writes a perplexity with four digits; one that overflows is beyond the
// largest power of ten.
func perplexity(r eval.Result) string {
	if v := r.Perplexity(); !math.IsInf(v, 0) {
		return fmt.Sprintf("%.4g", v)
	}
	return ">1e308"
}

// reach says where contexts end.
func reach(c ngram.Config) string {
	if c.LineEnd < 0 {
		return "contexts across lines"
	}
	return "a line being a sentence"
}

// architecture is the cell of a recurrent model, the kind of another.
func architecture(c lm.Config) string {
	switch c.Kind {
	case lm.KindFFN:
		return "feed-forward network"
	case lm.KindTransformer:
		return fmt.Sprintf("%d heads, feed-forward layers %d wide", c.Heads, c.Feedforward)
	}
	return strings.ToUpper(string(c.Cell))
}

// version is the program's module version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
