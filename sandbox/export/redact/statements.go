package redact

import (
	"regexp"
	"slices"
)

var (
	sqlPassword  = regexp.MustCompile(`(?i)(\b(?:identified[ \t]+(?:with[ \t]+\S+[ \t]+)?by|password)[ \t]+\\?')[^']+`)
	cloudSigned  = regexp.MustCompile(`(X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)(?:=|%3D))[^&\s"'\\%]+`)
	headerSigned = regexp.MustCompile(`((?i:\bresponse|signature)=\\*")[^"\\]+`)
	// A word of fewer than eight characters can belong to a sentence, and a path is public.
	spacedKey = regexp.MustCompile(`(?i)(\b(?:api|private|access|secret|unlock|unseal|encryption|signing|recovery|license) keys?(?: \d+)?\\*["']?[ \t]*[:=][ \t]*\\*["']?)[^\s"',;/\\][^\s"',;\\]{7,}`)
	userFlag  = regexp.MustCompile(`(--(?:proxy-)?user[= ]\\*["']?[^\s:"'=\\]+:)[^\s"'\\]+`)
)

// statements match secrets in commands of databases, in XML, in signed addresses and in sentences.
var statements = []shape{
	{sqlPassword, "assword", "${1}" + Hidden}, {sqlPassword, "ASSWORD", "${1}" + Hidden}, {sqlPassword, "IDENTIFIED", "${1}" + Hidden}, {sqlPassword, "dentified", "${1}" + Hidden},
	{regexp.MustCompile(`(requirepass[ \t]+\\*["']?)[^\s"'\\]+`), "requirepass", "${1}" + Hidden},
	{regexp.MustCompile(`(masterauth[ \t]+\\*["']?)[^\s"'\\]+`), "masterauth", "${1}" + Hidden},
	{regexp.MustCompile(`(auth-pass[ \t]+\S+[ \t]+\\*["']?)[^\s"'\\]+`), "auth-pass", "${1}" + Hidden},
	{regexp.MustCompile(`(\blogin[ \t]+\S+[ \t]+password[ \t]+)\S+`), "login", "${1}" + Hidden},
	{regexp.MustCompile(`(<[\w:.-]*(?i:password|passwd|passphrase|secret|token|apikey)(?:[ \t][^<>]*)?>)[^<]+(</)`), "</", "${1}" + Hidden + "${2}"},
	{regexp.MustCompile(`((?i:key|name)="[\w:.-]*(?i:password|passwd|passphrase|secret|token|apikey)"[ \t]+value=")[^"]+`), "value=", "${1}" + Hidden},
	{cloudSigned, "X-Amz-", "${1}" + Hidden}, {cloudSigned, "X-Goog-", "${1}" + Hidden},
	{headerSigned, "response=", "${1}" + Hidden}, {headerSigned, "ignature=", "${1}" + Hidden},
	{spacedKey, " key", "${1}" + Hidden}, {spacedKey, " Key", "${1}" + Hidden}, {spacedKey, " KEY", "${1}" + Hidden},
	{userFlag, "--user", "${1}" + Hidden}, {userFlag, "--proxy-user", "${1}" + Hidden},
}

// everyShape has the shapes of settings and of statements.
var everyShape = slices.Concat(shapes, statements)
