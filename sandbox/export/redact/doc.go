// Package redact hides secrets in diagnostic data.
//
// Secrets are hidden in three steps:
//
//   - By structure. [Tree], [JSON], [Variables] and [Arguments] hide settings with a telling name in
//     objects and records. They also hide the values of environment variables and arguments, except for
//     well-known settings, numbers, switches and addresses.
//   - By value. They return the hidden values. A [Redactor] finds these and other [Known] values in
//     text: plain, escaped for JSON, HTML and addresses, in base64 and hexadecimal, inside larger
//     base64, and split by line breaks.
//   - By form. A Redactor hides settings with a telling name, headers, addresses with a password, keys,
//     and the tokens of well-known services.
//
// A redactor cannot find everything. It does not find a secret that is not a known value and has no form,
// a part of a secret, or an encoding that is not listed above, such as compressed data. Documentation
// must ask users to review the result.
//
// # Rules of gitleaks
//
// The forms of tokens come from the default rules of gitleaks. Only its package config is used, for
// the text of the rules: it adds 20 modules and 1.8 MB to the program, and nothing measurable to its
// start. Its package detect adds about 60 modules, such as unpackers of archives, and compiles all
// rules at once, which takes 0.8 s. Here a rule is compiled when its keyword first occurs. All steps
// together take 0.1 s of CPU time for 1 MB of logs.
package redact
