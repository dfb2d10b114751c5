package app

import "testing"

// FuzzParseAccounts accepts only accounts that pass their check.
func FuzzParseAccounts(f *testing.F) {
	f.Add([]byte(`[{"id":"a","level":2,"kind":"citizen"}]`))
	f.Add([]byte(`[{"id":"a","level":2,"kind":"citizen","reference":"AA=="}]`))
	f.Add([]byte(`[] []`))
	f.Add([]byte(`[{"name":"x"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseAccounts(b)
		if err != nil {
			return
		}
		for i, c := range list {
			if err := c.Check(); err != nil {
				t.Fatalf("account %d: %v", i, err)
			}
		}
	})
}
