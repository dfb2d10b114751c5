// Package browsertest drives Debian's headless Chromium for the tests of pages,
// and holds nothing of ours.
//
//   - A browser is a process of its own with an empty profile in the test's own
//     folder; it ends with the test, and one that hangs ends it. It is spoken to
//     over a pair of pipes in the DevTools protocol, so no port is opened.
//   - Every page notes what a user would never be shown: errors on its console,
//     exceptions, violations of its content security policy, loads that failed,
//     and each address that it asked for.
//   - Nothing polls from outside and nothing sleeps: Wait is a promise inside
//     the page.
//   - Without the browser a test is skipped, unless BORDERGATE_PARTS=all says
//     that every part must be there; the same holds for axe-core.
package browsertest
