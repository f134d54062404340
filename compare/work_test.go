package compare

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/lm"
	"github.com/refrain-lm/refrain/train"
)

// planned is a comparison of three networks and an n-gram on a text of that many
// tokens a part, which knows how fast it trains.
func planned(valid int64, batch, bptt int, rate float64) *Comparison {
	c := &Comparison{}
	p := &c.protocol
	p.Text.Valid = Part{Bytes: valid, Tokens: valid}
	p.Text.Test = Part{Bytes: valid}
	p.Text.Vocab, p.Seeds = 100, []uint64{1, 2, 3}
	p.Settings.Equal, p.Settings.Shared.BatchSize, p.Settings.Shared.BPTT = "tokens", batch, bptt
	for _, kind := range DefaultModels() {
		e := Entry{Kind: kind}
		if e.trained() {
			e.Rate, e.Model = rate, lm.Config{Cell: lm.Cell(kind), Vocab: 100, EmSize: 32, Hidden: 64, Layers: 1}
		}
		p.Entries = append(p.Entries, e)
	}
	return c
}

// checkValidation counts what validates in each kind of run: a token read is half of
// one trained, which is more than its multiply-adds.
func checkValidation(t *testing.T, p Protocol) {
	t.Helper()
	const half = 0.5
	final, search := p.fewestSteps()
	for _, run := range []struct {
		name        string
		steps       int64
		times, each int64
	}{{"final", final, p.Marks + 2, p.ValidTokens}, {"search", search, 1, p.SearchValid}} {
		trained := float64(run.steps * p.TokensPerStep())
		read := float64(run.times * train.ValidationReads(run.each))
		if share := half * read / (trained + half*read); share > 0.1 && run.each > 2 {
			t.Errorf("a %s run of %.0f tokens validates %d times on %d: %.3f of its work", run.name, trained, run.times, run.each, share)
		}
	}
	if final%p.Marks != 0 || p.Marks < 4 || p.Marks > 24 {
		t.Errorf("%d validations in %d steps", p.Marks, final)
	}
	if p.Marks > 4 && p.ValidTokens < min(512, p.Text.Valid.Tokens) {
		t.Errorf("%d validations on %d tokens: fewer could be longer", p.Marks, p.ValidTokens)
	}
}

// TestValidationShare: at any budget, in tokens or in time, no run spends more than a
// tenth of its work on validation.
func TestValidationShare(t *testing.T) {
	for _, shape := range [][2]int{{1, 1}, {4, 16}, {16, 32}, {32, 64}, {64, 128}} {
		for _, valid := range []int64{2, 100, 3000, 30_000, 5_000_000} {
			for tokens := int64(10); tokens < 1e10; tokens *= 3 {
				c := planned(valid, shape[0], shape[1], 0)
				c.protocol.setSteps(tokens)
				c.protocol.chooseMeasures()
				checkValidation(t, c.protocol)
			}
			for _, equal := range []string{"tokens", "time"} {
				for budget := 3 * time.Second; budget < 24*time.Hour; budget *= 4 {
					for rate := 300.0; rate < 1e7; rate *= 7 {
						c := planned(valid, shape[0], shape[1], rate)
						c.protocol.Settings.Time, c.protocol.Settings.Equal = budget, equal
						c.deadline = time.Now().Add(budget)
						c.fitTime()
						checkValidation(t, c.protocol)
					}
				}
			}
		}
	}
	for tokens, want := range map[int64]int64{12_288: 4, 30_000: 8, 100_000: 24, 10_000_000: 24} {
		p := planned(1<<20, 16, 32, 0).protocol
		p.setSteps(tokens)
		p.chooseMeasures()
		if p.Marks != want {
			t.Errorf("a run of %d tokens validates %d times, want %d", tokens, p.Marks, want)
		}
	}
}

// TestBudgetHoldsAll: search, final runs and measuring fit into a budget in time
// together, unless even the shortest runs do not.
func TestBudgetHoldsAll(t *testing.T) {
	shortest := int64(24)
	for _, equal := range []string{"tokens", "time"} {
		for budget := 3 * time.Second; budget < 12*time.Hour; budget *= 2 {
			for rate := 1000.0; rate < 1e7; rate *= 3 {
				c := planned(100_000, 16, 32, rate)
				p := &c.protocol
				p.Settings.Time, p.Settings.Equal = budget, equal
				c.deadline = time.Now().Add(budget)
				c.fitTime()
				steps, search := p.fewestSteps()
				var runs, measure float64
				for _, e := range p.Entries {
					if e.trained() {
						runs += (3*float64(steps) + 5*float64(search)) * 512 / rate / 0.9
						// The test text by each seed, contexts of 1 to 512, gradients at three stages, and
						// 1,800 tokens written and timed, each alone.
						reads := 3*min(float64(p.TestTokens), 100_000) + 1023*float64(p.Targets)
						measure += (0.5*reads + 3*1.5*64*float64(p.GradientTargets) + 6*1800) / rate
					}
				}
				if whole := runs + measure; whole > budget.Seconds() && steps > shortest {
					t.Errorf("%v at %.0f tokens/s: runs of %d steps take %.1f s, measuring %.1f s", budget, rate, steps, runs, measure)
				}
				if most := 0.61 * budget.Seconds(); (3*float64(steps)+5*float64(search))*512*3/rate > most && steps > shortest {
					t.Errorf("%v at %.0f tokens/s: training takes more than three fifths", budget, rate)
				}
				if roomy := float64(fitTokens(budget, 3, []float64{rate, rate, rate})); roomy > 1e6 && budget > 20*time.Second && float64(steps)*512 < 0.8*roomy {
					t.Errorf("%v at %.0f tokens/s: %d steps, %.0f were promised", budget, rate, steps, roomy/512)
				}
				if told := c.Takes(); told > budget && steps > shortest {
					t.Errorf("%v at %.0f tokens/s: told to take %v with runs of %d steps", budget, rate, told, steps)
				}
			}
		}
	}
}

// BenchmarkBudget makes comparisons within a time and says how much of it they took,
// from the first byte read to the last measurement, and how much validated.
func BenchmarkBudget(b *testing.B) {
	text := strings.Repeat("the king sees a dog.\nshe never finds bread and salt.\nmy old friend likes it.\n", 5000)
	for _, budget := range []time.Duration{5 * time.Second, 20 * time.Second} {
		b.Run(fmt.Sprintf("time=%v", budget), func(b *testing.B) {
			for range b.N {
				begun := time.Now()
				in := Input{Sources: []data.Source{data.Text("text", []byte(text))}, Out: filepath.Join(b.TempDir(), "out")}
				c, err := Prepare(context.Background(), Settings{Time: budget}, in, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Run(context.Background()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(begun).Seconds()/budget.Seconds(), "of-budget")
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestTestFloor(t *testing.T) {
	p := planned(60_000, 16, 32, 0).protocol
	p.Text.Valid = Part{Bytes: 60_000, Tokens: 12_000} // words
	p.setSteps(1)
	p.chooseMeasures()
	if blocks := float64(p.TestTokens) * 5 / 1024; math.Abs(blocks-45) > 0.01 {
		t.Errorf("the shortest runs meet %.1f blocks of the test text, want half as many again as 30", blocks)
	}
}
