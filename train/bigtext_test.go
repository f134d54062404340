//go:build unix

package train_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/train"
)

// bigTextVariable gives the size of the text in MB for make bigtext.
const bigTextVariable = "REFRAIN_TEST_BIG_MB"

// TestBigTextSmallMemory trains on a text far larger than it may keep in
// memory, in a process of its own whose peak resident size the system counted:
// under 1 GB for 2 GB (make bigtext), under half of the text here.
func TestBigTextSmallMemory(t *testing.T) {
	megabytes := int64(100)
	whole := os.Getenv(bigTextVariable) != ""
	switch {
	case whole:
		n, err := strconv.ParseInt(os.Getenv(bigTextVariable), 10, 32)
		if err != nil || n < 100 {
			t.Fatalf("%s=%s: not a number of MB from 100", bigTextVariable, os.Getenv(bigTextVariable))
		}
		megabytes = n
	case raceEnabled || testing.Short():
		t.Skip("reads 200 MB")
	}
	for _, kind := range []string{"char", "word"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			c := child{Text: bigText(t, dir, megabytes*1e6), Out: filepath.Join(dir, "run"), Settings: []string{"tokenizer=" + kind, "steps=4",
				"nhid=8", "emsize=4", "batch-size=8", "bptt=32", "vocab-size=1000"}}
			if !whole { // the tail takes a while to validate on
				c.Valid = write(t, dir, "valid.txt", prose(100))
			}
			cmd := c.command(t)
			begin := time.Now()
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			p, err := train.ReadPlan(c.Out)
			if err != nil {
				t.Fatal(err)
			}
			if p.Data.Train.Bytes+p.Data.Valid.Bytes < megabytes*1e6 {
				t.Errorf("%d bytes of text read, the file has %d MB", p.Data.Train.Bytes+p.Data.Valid.Bytes, megabytes)
			}
			peak := residentPeak(cmd)
			t.Logf("%d MB of text, %d tokens: peak resident size %d MB in %v", megabytes, p.Data.Train.Tokens+p.Data.Valid.Tokens,
				peak/1e6, time.Since(begin).Round(time.Second/10))
			if limit := megabytes * 1e6 / 2; peak > limit {
				t.Errorf("peak resident size %d bytes, want at most %d", peak, limit)
			}
		})
	}
}

// residentPeak is the most memory that a process which has ended ever had.
func residentPeak(cmd *exec.Cmd) int64 {
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	if runtime.GOOS == "darwin" {
		return peak // bytes
	}
	return peak * 1024
}

// bigText writes size bytes of lines of words, a number among them so that no
// line is another's copy and the words' number grows with the text, to a bound.
func bigText(t *testing.T, dir string, size int64) string {
	t.Helper()
	path := filepath.Join(dir, "big.txt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	lines := strings.Split(prose(1000), "\n")
	r := rand.New(rand.NewPCG(1, 2))
	for n := int64(0); n < size; {
		k, err := fmt.Fprintf(w, "%s %d\n", lines[r.IntN(len(lines))], r.IntN(100000))
		if err != nil {
			t.Fatal(err)
		}
		n += int64(k)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}
