package compare

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// planted makes a result of two models whose losses differ by gap, with noise a
// block that both share, noise of each model on each block, and noise of seeds.
func planted(gap, text, seeds float64, blocks int, seed uint64) Result {
	random := rand.New(rand.NewPCG(seed, 1))
	r := Result{Plan: Plan{Seeds: []uint64{1, 2, 3}}}
	const tokens = 1000
	shared := make([]float64, blocks)
	for b := range shared {
		shared[b] = 0.2 * random.NormFloat64()
		r.Text.Blocks.Tokens = append(r.Text.Blocks.Tokens, tokens)
	}
	r.Text.Test = Part{Bytes: int64(tokens * blocks), Tokens: int64(tokens * blocks)}
	for m, name := range []string{"A", "B"} {
		model := Model{Name: name, Kind: KindLSTM}
		own := make([]float64, blocks)
		for b := range own {
			own[b] = text * random.NormFloat64()
		}
		for _, s := range r.Plan.Seeds {
			run := Run{Seed: s, Nats: make([]float64, blocks), Hits: make([]int, blocks)}
			shift := seeds * random.NormFloat64()
			for b := range run.Nats {
				run.Nats[b] = tokens * (1.5 + float64(m)*gap + shared[b] + own[b] + shift)
				run.Hits[b] = 500 + random.IntN(20)
			}
			model.Runs = append(model.Runs, run)
		}
		r.Models = append(r.Models, model)
	}
	return r
}

func TestPlantedResultsGetTheirWords(t *testing.T) {
	diverged := planted(0.1, 0.01, 0.002, 200, 3)
	diverged.Models[0].Runs[1] = Run{Seed: 2, Diverged: true}
	single := planted(0.1, 0.01, 0.002, 200, 3)
	single.Plan.Seeds = []uint64{1}
	for i := range single.Models {
		single.Models[i].Runs = single.Models[i].Runs[:1]
	}
	for _, c := range []struct {
		name  string
		r     Result
		want  Verdict
		small bool
		noise string
	}{
		{"equal and quiet", planted(0, 0.005, 0.0005, 200, 8), Equal, false, ""},
		{"0.1 nats apart", planted(0.1, 0.01, 0.005, 200, 2), Better, false, ""},
		{"apart by less than 1 %", planted(0.005, 0.005, 0.0005, 400, 2), Better, true, ""},
		{"noisy seeds", planted(0.05, 0.01, 0.1, 200, 4), NotSeparated, false, "seeds"},
		{"noisy text", planted(0.01, 0.4, 0.001, 100, 5), NotSeparated, false, "text"},
		{"one of three diverged", diverged, Unfinished, false, ""},
		{"one seed", single, Unfinished, false, ""},
		{"29 blocks", planted(0.1, 0.01, 0.002, 29, 2), ShortText, false, ""},
		{"30 blocks", planted(0.1, 0.01, 0.002, 30, 2), Better, false, ""},
	} {
		p := Judge(c.r).Pairs[0]
		if p.Verdict != c.want || p.Small != c.small {
			t.Errorf("%s: %q (small %v), want %q (%v); %+v", c.name, p.Verdict, p.Small, c.want, c.small, p.Loss)
		}
		if c.noise != "" && p.Noisier() != c.noise {
			t.Errorf("%s: %s add more noise, want %s", c.name, p.Noisier(), c.noise)
		}
	}
}

// TestDivergedRunsAreNeverBetter wants a model that lost a run last, whatever the
// others say of it.
func TestDivergedRunsAreNeverBetter(t *testing.T) {
	r := planted(0.5, 0.01, 0.002, 100, 3)
	r.Models[0].Runs[1] = Run{Seed: 2, Diverged: true}
	j := Judge(r)
	if j.Rows[0].Name != "B" || j.Rows[1].Finished != 2 || j.Rows[1].Planned != 3 {
		t.Errorf("rows %+v", j.Rows)
	}
	r.Models[0].Runs = []Run{{Diverged: true}, {Diverged: true}, {Diverged: true}}
	j = Judge(r)
	if row := j.Rows[1]; row.Finished != 0 || !math.IsNaN(float64(row.Loss)) {
		t.Errorf("none finished: %+v", row)
	}
}

// TestDifferenceByHand recomputes one interval from its parts.
func TestDifferenceByHand(t *testing.T) {
	r := planted(0.1, 0.05, 0.01, 200, 6)
	d := Judge(r).Pairs[0].Loss
	var means [2][3]float64
	for m, model := range r.Models {
		for s, run := range model.Runs {
			for _, n := range run.Nats {
				means[m][s] += n / 200_000
			}
		}
	}
	average := func(x [3]float64) float64 { return (x[0] + x[1] + x[2]) / 3 }
	squares := func(x [3]float64) (v float64) {
		for _, y := range x {
			v += (y - average(x)) * (y - average(x)) / 2 / 3
		}
		return v
	}
	near := func(what string, got Number, want, tolerance float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > tolerance*math.Abs(want) {
			t.Errorf("%s %v, want %v", what, got, want)
		}
	}
	near("Δ", d.Delta, average(means[0])-average(means[1]), 1e-9)
	near("seeds of A", d.SeedsA, squares(means[0]), 1e-9)
	near("seeds of B", d.SeedsB, squares(means[1]), 1e-9)
	// The bootstrap's variance of a mean of independent blocks of equal length is
	// σ²/blocks; two models with 0.05 each, 200 blocks; σ is itself estimated from
	// as few as 50 blocks (±20 %), and the largest of two estimates is taken.
	near("text", d.Text, 2*0.05*0.05/200, 0.5)
	near("variance", d.Variance, float64(d.SeedsA+d.SeedsB+d.Text), 1e-12)
	blocks := float64(200 / d.Grouping)
	nu := float64(d.Variance*d.Variance) / (float64(d.SeedsA*d.SeedsA)/2 + float64(d.SeedsB*d.SeedsB)/2 + float64(d.Text*d.Text)/(blocks-1))
	near("ν", d.Freedom, nu, 1e-9)
}

// TestStudent holds the quantiles to printed tables.
func TestStudent(t *testing.T) {
	for _, c := range []struct{ nu, pairs, want float64 }{
		{2, 1, 4.3027}, {4, 1, 2.7764}, {10, 1, 2.2281}, {30, 1, 2.0423}, {4, 5, 4.6041},
	} {
		if got := halfWidth(1, c.nu, int(c.pairs)); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("t of %v degrees, %v pairs: %v, want %v", c.nu, c.pairs, got, c.want)
		}
	}
}

func TestJudgeIsDeterministic(t *testing.T) {
	r := planted(0.02, 0.1, 0.01, 100, 7)
	if a, b := Judge(r), Judge(r); !reflect.DeepEqual(a, b) {
		t.Errorf("twice the same result, two judgements:\n%+v\n%+v", a.Pairs[0].Loss, b.Pairs[0].Loss)
	}
}

func TestGroup(t *testing.T) {
	if got := group([]int{1, 2, 3, 4, 5, 6, 7}, 3); !reflect.DeepEqual(got, []int{6, 22}) {
		t.Errorf("%v", got)
	}
}

// TestIntervalsCover draws experiments whose true difference is known, with new
// seeds and new text each, and counts intervals that hold it. bench/coverage has
// the same with more trials and 10,000 resamples.
func TestIntervalsCover(t *testing.T) {
	const trials, seeds = 600, 0.02
	for _, c := range []struct {
		name string
		text float64 // of each block; √(2/100) of it is noise of the difference
	}{
		{"text 0.3 of seeds", 0.3 * seeds * 10 / math.Sqrt2},
		{"text as seeds", seeds * 10 / math.Sqrt2},
	} {
		held := 0
		for i := range trials {
			r := planted(0.05, c.text, seeds, 100, uint64(1000+i))
			tokens := r.Text.Blocks.Tokens
			models := []sums{lossSums(r.Models[0], tokens), lossSums(r.Models[1], tokens)}
			d := newBootstrap(models, tokens, 1, 200).difference(models, 0, 1, 1)
			if d.Low <= -0.05 && -0.05 <= d.High {
				held++
			}
		}
		// 600 trials at 95 % have a standard error of 0.9 %.
		if share := float64(held) / trials; share < 0.92 || share > 0.99 {
			t.Errorf("%s: %.1f %% of the intervals hold the truth, want 95 %%", c.name, 100*share)
		} else {
			t.Logf("%s: %.1f %%", c.name, 100*share)
		}
	}
}
