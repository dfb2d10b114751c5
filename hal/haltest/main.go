package haltest

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// together is how many parallel tests of drivers run at a time. They wait for
// devices and hardly compute, so the number of processors does not matter.
const together = 8

// Main is TestMain of a package whose tests wait for devices: those that are
// parallel run some at a time, unless the command says how many.
func Main(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(together)); err != nil {
		panic(err) // no such flag: not a test
	}
	os.Exit(m.Run())
}
