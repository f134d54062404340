package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/compare"
	"github.com/refrain-lm/refrain/compare/report"
)

var keep = flag.String("keep", "", "write the tests' report and pictures to this folder, to look at")

// files makes a report and indexes it.
func files(t *testing.T, r compare.Result, o report.Options) map[string][]byte {
	t.Helper()
	list, err := report.Files(r, o)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]byte{}
	for _, f := range list {
		if _, twice := named[f.Name]; twice {
			t.Errorf("%s is there twice", f.Name)
		}
		named[f.Name] = f.Data
	}
	return named
}

func TestWriteLeavesAWholeReport(t *testing.T) {
	dir := t.TempDir()
	if *keep != "" {
		dir = *keep
	}
	r := plausible(6)
	if err := report.Write(dir, r, report.Options{Timings: true}); err != nil {
		t.Fatal(err)
	}
	for name, want := range files(t, r, report.Options{Timings: true}) {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(want))
		}
		switch {
		case strings.HasSuffix(name, ".png"):
			if picture, err := png.Decode(bytes.NewReader(want)); err != nil || picture.Bounds().Dx() != 2*(880+24) {
				t.Errorf("%s: %v", name, err)
			}
		case strings.HasSuffix(name, ".csv"):
			if rows, err := csv.NewReader(bytes.NewReader(want)).ReadAll(); err != nil || len(rows) < 2 {
				t.Errorf("%s: %v, %d rows", name, err, len(rows))
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for models, most := range map[int]int{4: 400_000, 6: 800_000} {
		page := files(t, plausible(models), report.Options{Timings: true})["report.html"]
		if len(page) > most {
			t.Errorf("%d models: a page of %d bytes, at most %d", models, len(page), most)
		}
		pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAll(page, -1)
		if len(pictures) < 12 {
			t.Errorf("%d models: %d pictures", models, len(pictures))
		}
		for _, picture := range pictures {
			if len(picture) > 30_000 {
				t.Errorf("%d models: a picture of %d bytes: %.120s", models, len(picture), picture)
			}
		}
		script := regexp.MustCompile(`(?s)<script>.*?</script>`).Find(page)
		if len(script) == 0 || len(script) > 6*1024 {
			t.Errorf("a script of %d bytes", len(script))
		}
	}
}

// TestSameBytes wants one result to give one report, and what differs between two
// runs of a plan to be gone without timings.
func TestSameBytes(t *testing.T) {
	first := files(t, plausible(4), report.Options{Timings: true})
	for name, data := range files(t, plausible(4), report.Options{Timings: true}) {
		if !bytes.Equal(first[name], data) {
			t.Errorf("%s differs from one time to the next", name)
		}
	}
	other := plausible(4)
	other.Machine.CPU = "another"
	for i := range other.Models {
		m := &other.Models[i]
		m.Cost.TrainTokens.Median *= 3
		m.Cost.PeakBytes++
		for j := range m.Runs {
			m.Runs[j].Seconds *= 3
			for k := range m.Runs[j].Curve {
				m.Runs[j].Curve[k].Seconds *= 3
			}
		}
	}
	untimed := files(t, plausible(4), report.Options{})
	for name, data := range files(t, other, report.Options{}) {
		if !bytes.Equal(untimed[name], data) {
			t.Errorf("without timings, %s still depends on them", name)
		}
	}
	if bytes.Equal(untimed["report.json"], first["report.json"]) {
		t.Error("leaving timings out changed nothing")
	}
}

// TestIntervalsFromBlockSums recomputes what report.json says from the sums in it,
// the text's variance by its formula rather than by resampling.
func TestIntervalsFromBlockSums(t *testing.T) {
	var d report.Document
	if err := json.Unmarshal(files(t, plausible(4), report.Options{})["report.json"], &d); err != nil {
		t.Fatal(err)
	}
	models := map[string]compare.Model{}
	for _, m := range d.Result.Models {
		models[m.Name] = m
	}
	for _, p := range d.Judgement.Pairs {
		var means, seeds [2]float64
		var blocks [2][]float64
		for i, name := range []string{p.A, p.B} {
			means[i], seeds[i], blocks[i] = summary(models[name], d.Result.Text.Blocks.Tokens)
		}
		text := 0.0
		for _, n := range []int{1, 4, 16} {
			if len(blocks[0])/n >= 30 {
				text = max(text, meanVariance(blocks[0], blocks[1], n))
			}
		}
		v := seeds[0] + seeds[1] + text
		for _, c := range []struct {
			what      string
			got       compare.Number
			want      float64
			tolerance float64
		}{
			{"Δ", p.Loss.Delta, means[0] - means[1], 1e-9},
			{"seeds of A", p.Loss.SeedsA, seeds[0], 1e-9},
			{"seeds of B", p.Loss.SeedsB, seeds[1], 1e-9},
			{"text", p.Loss.Text, text, 0.06}, // 10,000 resamples know a variance to 1.4 %
			{"v", p.Loss.Variance, v, 0.06},
		} {
			if math.Abs(float64(c.got)-c.want) > c.tolerance*math.Abs(c.want) {
				t.Errorf("%s and %s: %s is %v, want %v", p.A, p.B, c.what, c.got, c.want)
			}
		}
	}
}

// summary is a model's mean over runs, its variance from seeds, and the mean of
// its runs on each block, nats a token.
func summary(m compare.Model, tokens []int) (mean, seeds float64, blocks []float64) {
	var means []float64
	blocks = make([]float64, len(tokens))
	for _, run := range m.Runs {
		sum, n := 0.0, 0
		for b, nats := range run.Nats {
			sum += nats
			n += tokens[b]
			blocks[b] += nats / float64(tokens[b]) / float64(len(m.Runs))
		}
		means = append(means, sum/float64(n))
		mean += sum / float64(n) / float64(len(m.Runs))
	}
	for _, x := range means {
		if len(means) > 1 {
			seeds += (x - mean) * (x - mean) / float64(len(means)-1) / float64(len(means))
		}
	}
	return mean, seeds, blocks
}

// meanVariance is the variance of the mean difference of blocks joined by n, all of
// one length; the last few join the last block, and weigh little.
func meanVariance(a, b []float64, n int) float64 {
	var d []float64
	for i := 0; i+n <= len(a); i += n {
		sum := 0.0
		for k := i; k < i+n; k++ {
			sum += (a[k] - b[k]) / float64(n)
		}
		d = append(d, sum)
	}
	mean, v := 0.0, 0.0
	for _, x := range d {
		mean += x / float64(len(d))
	}
	for _, x := range d {
		v += (x - mean) * (x - mean)
	}
	return v / float64(len(d)) / float64(len(d))
}

// shifted is plausible(3) with the second model gap above the first and noise of
// seeds, nats.
func shifted(gap, noise float64) compare.Result {
	r := plausible(3)
	random := rand.New(rand.NewPCG(9, 9))
	base := slices.Clone(r.Models[1].Runs[0].Nats)
	for m := range r.Models {
		for s := range r.Models[m].Runs {
			run, sum := &r.Models[m].Runs[s], 0.0
			shift := float64(m)*gap + noise*random.NormFloat64()
			for b := range run.Nats {
				run.Nats[b] = base[b] + blockSize*(shift+0.002*random.NormFloat64())
				sum += run.Nats[b]
			}
			run.TestLoss = compare.Number(sum / (blockSize * blocks))
		}
	}
	return r
}

func TestVerdicts(t *testing.T) {
	diverged := shifted(0.1, 0.001)
	diverged.Models[0].Runs[2] = compare.Run{Seed: 3, Diverged: true}
	all := shifted(0.1, 0.001)
	for m := range all.Models {
		all.Models[m].Runs[0] = compare.Run{Seed: 1, Diverged: true}
	}
	short := shifted(0.1, 0.001)
	short.Text.Blocks.Tokens = short.Text.Blocks.Tokens[:20]
	for m := range short.Models {
		for s := range short.Models[m].Runs {
			run := &short.Models[m].Runs[s]
			run.Nats, run.Hits = run.Nats[:20], run.Hits[:20]
		}
	}
	for _, c := range []struct {
		name string
		r    compare.Result
		want []string
		not  []string
	}{
		{"equal and quiet", shifted(0, 0.0005), []string{"practically equal", "On this text, size and budget, "}, []string{"better", "not separated"}},
		{"0.1 nats", shifted(0.1, 0.001), []string{"RNN is better than LSTM (0.10", "On this text, size and budget, "}, []string{"practically", "not separated", "less than"}},
		{"0.004 nats, quiet", shifted(0.004, 0.0002), []string{"is better than", "by less than 1"}, nil},
		{"noisy seeds", shifted(0.02, 0.05), []string{"not separated", "would likely have shown", "seeds add more noise"}, []string{"better"}},
		{"one of three diverged", diverged, []string{"LSTM is better than GRU", "RNN (2 of 3 runs finished)"}, []string{"than RNN", "RNN is better"}},
		{"all diverged once", all, []string{"no model finished all its runs"}, []string{"better"}},
		{"short text", short, []string{"No comparison", "20 blocks"}, []string{"better"}},
	} {
		said := report.Verdict(c.r)
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: %q lacks %q", c.name, said, want)
			}
		}
		for _, not := range c.not {
			if strings.Contains(said, not) {
				t.Errorf("%s: %q has %q", c.name, said, not)
			}
		}
		if n := strings.Count(said, ". ") + 1; n > 3 {
			t.Errorf("%s: %d sentences: %s", c.name, n, said)
		}
		page := files(t, c.r, report.Options{Timings: true})
		forbidden := regexp.MustCompile(`(?i)significant|outperform|winner`)
		for _, name := range []string{"report.html", "report.md"} {
			if found := forbidden.Find(page[name]); found != nil {
				t.Errorf("%s: %s says %q", c.name, name, found)
			}
		}
	}
}

// TestFindings checks facts that the page states against the data.
func TestFindings(t *testing.T) {
	d := report.NewDocument(plausible(6))
	f := d.Findings
	for _, w := range f.Context {
		switch w.Model {
		case "5-gram", "Feed-forward":
			if w.Beyond == nil || *w.Beyond != 0 {
				t.Errorf("%s is not flat beyond what it sees: %+v", w.Model, w)
			}
		default:
			if w.Beyond != nil {
				t.Errorf("%s has no end to what it sees: %+v", w.Model, w)
			}
		}
	}
	if f.Counts == nil || math.Abs(f.Counts.Sum-sum(f.Counts.Parts)) > 1e-12 {
		t.Errorf("the parts do not sum to Δ: %+v", f.Counts)
	}
	if f.Fastest == nil || f.Widest == nil || f.NGram == nil || len(f.Reached) != 5 || len(f.Reach) != 3 {
		t.Errorf("findings are missing: %+v", f)
	}
	for _, r := range f.Reach {
		if r.Model == "RNN" && r.Lag != 29 { // exp(−0.16·29) is the first below 1 %
			t.Errorf("RNN's gradient is below 1 %% first at lag %d, want 29", r.Lag)
		}
	}
	flat := plausible(2)
	for m := range flat.Models {
		for s := range flat.Models[m].Runs {
			for k := range flat.Models[m].Runs[s].Curve {
				if mark := &flat.Models[m].Runs[s].Curve[k]; mark.Tokens < perRun*8/10+1 && m == 0 {
					mark.Loss = 1.7
				}
			}
		}
	}
	if learning := report.NewDocument(flat).Findings.Learning; len(learning) != 1 || learning[0].Model != "LSTM" {
		t.Errorf("still learning: %+v, want the LSTM alone", learning)
	}
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

// TestPartsMayBeMissing takes away all that a comparison may lack.
func TestPartsMayBeMissing(t *testing.T) {
	r := plausible(4)
	r.Machine, r.Counts, r.Prompt, r.Sentence, r.Floors, r.ContextTargets = nil, nil, nil, nil, nil, 0
	for i := range r.Models {
		m := &r.Models[i]
		m.Search, m.Context, m.Gradients, m.Gates, m.Samples, m.Surprisal, m.CountNats, m.Cost, m.FileBytes = nil, nil, nil, nil, nil, nil, nil, nil, 0
		for j := range m.Runs {
			m.Runs[j].Curve = nil
		}
	}
	empty := plausible(4)
	for i := range empty.Models {
		m := &empty.Models[i]
		m.Search, m.Context, m.Gradients, m.Gates = &compare.Search{Setting: "learning rate"}, &compare.Context{}, &compare.Gradients{}, []compare.Gate{{Name: "input"}}
		m.Samples, m.Surprisal, m.CountNats, m.Cost = []compare.Sample{}, []compare.Number{}, []float64{}, &compare.Cost{}
		m.Runs = []compare.Run{{Diverged: true}, {Diverged: true}, {Diverged: true}}
	}
	empty.Models[3].Context = plausible(4).Models[3].Context // only one has what the others lack
	for name, r := range map[string]compare.Result{"bare": r, "empty": empty, "one model": plausible(1), "none": {}} {
		page := string(files(t, r, report.Options{})["report.html"])
		if n := strings.Count(page, "<h2>"); n != 12 {
			t.Errorf("%s: %d headings", name, n)
		}
		if found := regexp.MustCompile(`\bNaN\b|\bInf\b|%!`).FindString(page); found != "" {
			t.Errorf("%s: the page has %q", name, found)
		}
	}
}

// TestHostileText wants text that somebody else wrote to stay text.
func TestHostileText(t *testing.T) {
	made := files(t, hostile(), report.Options{Timings: true})
	page := string(made["report.html"])
	for _, bad := range []string{"<script>taken", "<img", "\x00", "\x1b", "\u202e", "\u2066"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !strings.Contains(page, "<bdi>“") && !strings.Contains(page, "<bdi>&lt;/pre&gt;") {
		t.Error("the text is not isolated")
	}
	for _, bad := range []string{"\x00", "\x1b", "\u202e"} {
		if bytes.Contains(made["report.md"], []byte(bad)) {
			t.Errorf("the Markdown has %q", bad)
		}
	}
}
