package checkpoint_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/refrain-lm/refrain/checkpoint"
)

// TestMain lets the test binary play the other process: with LOCK_DIR it takes
// the lock, says so, and holds it until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CHECKPOINT_TEST_LOCK_DIR"); dir != "" {
		if _, err := checkpoint.Lock(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		time.Sleep(time.Minute)
	}
	os.Exit(m.Run())
}

// TestLockDiesWithItsProcess: while another process holds the folder it is
// named; once it was killed the folder is free.
func TestLockDiesWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CHECKPOINT_TEST_LOCK_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process said %q (%v)", line, err)
	}
	_, err = checkpoint.Lock(dir)
	if want := fmt.Sprintf("%s is in use by process %d: wait for it to end, or use another folder", dir, cmd.Process.Pid); !errors.Is(err, checkpoint.ErrLocked) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	l, err := checkpoint.Lock(dir)
	if err != nil {
		t.Fatalf("after its holder was killed: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLockTwiceInOneProcess(t *testing.T) {
	dir := t.TempDir()
	l, err := checkpoint.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Lock(dir); !errors.Is(err, checkpoint.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second lock: error %v, want ErrLocked with process %d", err, os.Getpid())
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if l, err = checkpoint.Lock(dir); err != nil {
		t.Fatalf("after Unlock: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Lock(filepath.Join(dir, "gone")); !errors.Is(err, os.ErrNotExist) || errors.Is(err, checkpoint.ErrLocked) {
		t.Errorf("missing folder: error %v, want ErrNotExist", err)
	}
}

// TestLockExcludes: however locks and the removal of their file interleave, no
// two hold the folder at once.
func TestLockExcludes(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	var held sync.Mutex
	taken := 0
	for range 4 {
		wg.Go(func() {
			for range 300 {
				l, err := checkpoint.Lock(dir)
				if errors.Is(err, checkpoint.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !held.TryLock() {
					t.Error("two hold the folder")
				} else {
					taken++
					held.Unlock()
				}
				if err := l.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if taken == 0 {
		t.Error("nobody got the folder")
	}
}

func TestFreeSpace(t *testing.T) {
	free, err := checkpoint.FreeSpace(t.TempDir())
	if err != nil && !errors.Is(err, errors.ErrUnsupported) || err == nil && free <= 0 {
		t.Errorf("free space %d (%v), want some", free, err)
	}
}
