package configs

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a file, where, and how to mend it.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`    // from 1; 0 where the file could not be read
	Column  int    `json:"column"`  // from 1; 0 where not known
	Path    string `json:"path"`    // key path, such as turnstile.inputs.ready or models[2].sha256
	Value   string `json:"value"`   // as written; empty for what is missing
	Message string `json:"message"` // completes "PATH …"
	Hint    string `json:"hint"`    // the cure; may be empty

	cause error
}

// Error returns the fault in one line.
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	b.WriteString(": ")
	if f.Path != "" {
		b.WriteString(f.Path + " ")
	}
	b.WriteString(f.Message)
	if f.Value != "" {
		fmt.Fprintf(&b, ": %q", f.Value)
	}
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the system's error behind the fault, if there is one.
func (f Fault) Unwrap() error { return f.cause }

// Faults are all faults of one file in the order of their lines. Faults is an
// error only when it is not empty; compare its length, or use Err, not nil.
type Faults []Fault

// Error returns the faults one a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single faults.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

// Err returns the faults as an error, nil when there are none.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}
