package train_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/train"
)

// child is what a copy of this test's binary does instead of testing: one run.
type child struct {
	Text, Out string   // Text "" goes on with Out
	Valid     string   // text to validate on; "" for the tail of Text
	Settings  []string // name=value
	KillAt    int      // it kills itself at this step of its disk; 0: never
	KillOn    string   // or at the first event of this kind
}

// childVariable holds a child as JSON.
const childVariable = "REFRAIN_TEST_CHILD"

func TestMain(m *testing.M) {
	raw := os.Getenv(childVariable)
	if raw == "" {
		os.Exit(m.Run())
	}
	var c child
	err := json.Unmarshal([]byte(raw), &c)
	if err == nil {
		err = c.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// command is c as a process of its own.
func (c child) command(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), env...), childVariable+"="+string(raw))
	cmd.Stderr = os.Stderr
	return cmd
}

func (c child) run() error {
	disk := checkpoint.FS(checkpoint.OS{})
	if c.KillAt > 0 {
		disk = &badDisk{at: c.KillAt, hook: killSelf}
	}
	on := func(e train.Event) {
		if e.Kind == c.KillOn {
			killSelf()
		}
	}
	if c.Text != "" {
		return runOn(disk, c.Out, c.Text, c.Valid, c.Settings, on)
	}
	j, err := train.ResumeOn(context.Background(), disk, c.Out, train.Settings{}, on)
	if err != nil {
		return err
	}
	defer j.Close()
	_, err = j.Run(context.Background(), on)
	return err
}

// killSelf ends this process as kill -9 would and does not return.
func killSelf() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}
