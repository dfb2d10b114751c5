package mosquittotest_test

import (
	"net"
	"strings"
	"testing"

	"bordergate/sync/link/mosquittotest"
)

// TestKilledAndStartedAgain: the same address answers, closes and answers.
func TestKilledAndStartedAgain(t *testing.T) {
	b := mosquittotest.New(t, "")
	for range 3 {
		c, err := net.Dial("tcp", b.Address())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		b.Kill()
		if c, err := net.Dial("tcp", b.Address()); err == nil {
			_ = c.Close()
			t.Fatal("a killed broker answers")
		}
		b.Again(t)
	}
}

func TestBadSettingIsReported(t *testing.T) {
	mosquittotest.New(t, "") // skips where there is none
	_, err := mosquittotest.Start(mosquittotest.Options{Dir: t.TempDir(), More: []string{"no_such_setting 1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Fatalf("a setting that does not exist: %v", err)
	}
}
