using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Text.Chat.Jinja;

/// <summary>The methods of texts. Of safe ones they give safe ones, their arguments escaped.</summary>
internal static class TextMethods
{
    private static readonly string[] s_unsupported = ["casefold", "expandtabs", "translate", "maketrans"];

    /// <summary>A method, or null where there is no such.</summary>
    public static object? Find(object owner, string name)
    {
        string text = SafeText.Plain(owner)!;
        Effort.SpendOn(owner);
        bool isSafe = owner is SafeText;
        Func<Evaluator, Arguments, object?>? body = Change(text, name) ?? Ask(text, name) ?? Cut(text, name) ?? Join(text, name, isSafe);
        return body is null ? null : new JinjaFunction(name, (evaluator, arguments) => isSafe ? Safe(body(evaluator, Escaped(arguments)), name) : body(evaluator, arguments)) { IsMethod = true };
    }

    private static Arguments Escaped(Arguments arguments) => new([.. arguments.Positional.Select(value => value is string ? SafeText.Escape(value).Text : value)], arguments.Named);

    private static object? Safe(object? value, string name) => value switch
    {
        string text when name != "encode" => new SafeText(text),
        List<object?> list => list.ConvertAll(element => element is string text ? new SafeText(text) : element),
        JinjaTuple tuple => new JinjaTuple([.. tuple.Items.Select(element => element is string text ? new SafeText(text) : element)]),
        _ => value,
    };

    // One text from one.
    private static Func<Evaluator, Arguments, object?>? Change(string text, string name) => name switch
    {
        "upper" => Plain(name, () => Casing.Upper(text)),
        "lower" => Plain(name, () => Casing.Lower(text)),
        "capitalize" => Plain(name, () => Casing.Capitalize(text)),
        "title" => Plain(name, () => Casing.TitleWords(text)),
        "swapcase" => Plain(name, () => Casing.SwapCase(text)),
        "strip" or "lstrip" or "rstrip" => (_, arguments) => PointText.Strip(text, arguments.Bind(name, 0, "chars").Text(0, null), left: name != "rstrip", right: name != "lstrip"),
        "replace" => (_, arguments) =>
        {
            Bound bound = arguments.Bind(name, 2, "old", "new", "count");
            return Replace(text, Need(bound, 0), Need(bound, 1), bound.Int(2, -1));
        },
        "removeprefix" => (_, arguments) => Need(arguments.Bind(name, 1, "prefix"), 0) is var prefix && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text,
        "removesuffix" => (_, arguments) => Need(arguments.Bind(name, 1, "suffix"), 0) is var suffix && suffix.Length > 0 && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text,
        "center" or "ljust" or "rjust" => (_, arguments) =>
        {
            Bound bound = arguments.Bind(name, 1, "width", "fillchar");
            return Pad(text, bound.Int(0, 0), bound.Text(1, " ")!, name);
        },
        "zfill" => (_, arguments) =>
        {
            int missing = arguments.Bind(name, 1, "width").Int(0, 0) - PointText.Length(text);
            int sign = text is ['+' or '-', ..] ? 1 : 0;
            return missing <= 0 ? text : text[..sign] + Zeros(missing) + text[sign..];
        },
        "encode" => (_, arguments) =>
        {
            Bound bound = arguments.Bind(name, 0, "encoding", "errors");
            string encoding = bound.Text(0, "utf-8")!.ToLowerInvariant().Replace('_', '-');
            return encoding is "utf-8" or "utf8" ? new JinjaBytes(Encoding.UTF8.GetBytes(text)) : throw JinjaException.Unsupported($"encode('{encoding}')");
        },
        _ when s_unsupported.Contains(name) => throw JinjaException.Unsupported($"the method '{name}' of texts"),
        _ => null,
    };

    // What is asked of a text.
    private static Func<Evaluator, Arguments, object?>? Ask(string text, string name) => name switch
    {
        "startswith" or "endswith" => (_, arguments) => IsAtEnd(text, name, arguments.Bind(name, 1, "prefix", "start", "end")),
        "find" or "rfind" or "index" or "rindex" or "count" => (_, arguments) => new BigInteger(Search(text, name, arguments.Bind(name, 1, "sub", "start", "end"))),
        "isalpha" => Plain(name, () => PointText.All(text, PointText.IsAlphabetic)),
        "isalnum" => Plain(name, () => PointText.All(text, PointText.IsWord)),
        "isdigit" => Plain(name, () => PointText.All(text, PointText.IsDigit)),
        "isdecimal" => Plain(name, () => PointText.All(text, PointText.IsDecimal)),
        "isnumeric" => Plain(name, () => PointText.All(text, PointText.IsNumeric)),
        "isspace" => Plain(name, () => PointText.All(text, rune => rune.IsBmp && PointText.IsSpace((char)rune.Value))),
        "isascii" => Plain(name, () => Ascii.IsValid(text)),
        "isprintable" => Plain(name, () => text.Length == 0 || PointText.All(text, rune => Show.IsPrintable(rune.Value))),
        "isidentifier" => Plain(name, () => PointText.IsIdentifier(text)),
        "isupper" => Plain(name, () => IsCase(text, Casing.IsUpper)),
        "islower" => Plain(name, () => IsCase(text, Casing.IsLower)),
        "istitle" => Plain(name, () => text.EnumerateRunes().Any(Casing.IsCased) && Casing.TitleWords(text) == text),
        _ => null,
    };

    // Several texts from one.
    private static Func<Evaluator, Arguments, object?>? Cut(string text, string name) => name switch
    {
        "split" or "rsplit" => (_, arguments) =>
        {
            Bound bound = arguments.Bind(name, 0, "sep", "maxsplit");
            int cuts = bound.Int(1, -1);
            List<string> parts = bound.Text(0, null) is not { } separator ? (name == "split" ? PointText.Words(text, cuts) : PointText.WordsFromRight(text, cuts))
                : separator.Length == 0 ? throw JinjaException.Value("empty separator")
                : name == "split" ? Split(text, separator, cuts) : SplitFromRight(text, separator, cuts);
            return ListOf(parts);
        },
        "splitlines" => (_, arguments) => ListOf(PointText.Lines(text, arguments.Bind(name, 0, "keepends").Flag(0, false))),
        "partition" or "rpartition" => (_, arguments) =>
        {
            string separator = Need(arguments.Bind(name, 1, "sep"), 0);
            if (separator.Length == 0)
            {
                throw JinjaException.Value("empty separator");
            }

            int at = name == "partition" ? PointText.IndexOf(text, separator) : PointText.LastIndexOf(text, separator);
            return at >= 0 ? new JinjaTuple(text[..at], separator, text[(at + separator.Length)..])
                : name == "partition" ? new JinjaTuple(text, "", "") : new JinjaTuple("", "", text);
        },
        _ => null,
    };

    // One text from several.
    private static Func<Evaluator, Arguments, object?>? Join(string text, string name, bool isSafe) => name switch
    {
        "join" => (_, arguments) =>
        {
            object? elements = arguments.Bind(name, 1, "iterable").Value(0);
            string[] parts = [.. Access.Elements(elements is Undefined or null ? throw JinjaException.Type("can only join an iterable") : elements).Select((element, i) =>
                (isSafe ? SafeText.Escape(element).Text : SafeText.Plain(element)) ?? throw JinjaException.Type($"sequence item {i}: expected str instance, {Show.TypeOf(element)} found"))];
            Effort.RequireRoom(parts.Sum(part => (long)part.Length) + ((long)parts.Length * text.Length));
            return string.Join(text, parts);
        },
        "format" => (_, arguments) => BraceFormat.Apply(text, arguments, isSafe),
        "format_map" => (_, arguments) => BraceFormat.Apply(text, new Arguments([], [.. arguments.Bind(name, 1, "mapping").Value(0) is JinjaDict dict ? dict.Items.Select(item => (Show.Str(item.Key), item.Value)) : throw JinjaException.Type("format_map() needs a mapping")]), isSafe),
        _ => null,
    };

    /// <summary>A text with at most so many parts replaced; all where negative.</summary>
    public static string Replace(string text, string old, string other, int count)
    {
        if (count == 0)
        {
            return text;
        }

        long places = old.Length > 0 ? PointText.Count(text, old) : text.Length + 1;
        Effort.RequireRoom(text.Length + (Math.Min(places, count < 0 ? long.MaxValue : count) * other.Length));
        if (old.Length > 0)
        {
            return count < 0 ? text.Replace(old, other, StringComparison.Ordinal) : string.Join(other, Split(text, old, count));
        }

        // Before every code point and at the end.
        var replaced = new StringBuilder();
        int left = count < 0 ? int.MaxValue : count;
        foreach (string point in PointText.Points(text))
        {
            replaced.Append(left-- > 0 ? other : "").Append(point);
        }

        return replaced.Append(left > 0 ? other : "").ToString();
    }

    /// <summary>A text with fill characters on one side or both.</summary>
    public static string Pad(string text, int width, string fill, string kind)
    {
        if (PointText.Length(fill) != 1)
        {
            throw JinjaException.Type("The fill character must be exactly one character long");
        }

        int length = PointText.Length(text), missing = Math.Max(0, width - length);
        if (missing > Operators.Most)
        {
            throw Operators.TooLarge();
        }

        int left = kind switch { "ljust" => 0, "rjust" => missing, _ => (missing / 2) + (missing & width & 1) };
        return string.Concat(Enumerable.Repeat(fill, left)) + text + string.Concat(Enumerable.Repeat(fill, missing - left));
    }

    private static string Zeros(int count) => count <= Operators.Most ? new string('0', count) : throw Operators.TooLarge();

    private static string Need(Bound bound, int i) => bound.Text(i, null) ?? throw JinjaException.Type("argument must be str, not NoneType");

    private static Func<Evaluator, Arguments, object?> Plain(string name, Func<object> value) => (_, arguments) =>
    {
        arguments.Bind(name, 0);
        return value();
    };

    private static List<object?> ListOf(List<string> parts) => parts.ConvertAll(part => (object?)part);

    private static bool IsCase(string text, Func<Rune, bool> test)
    {
        bool isThere = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (test(rune))
            {
                isThere = true;
            }
            else if (Casing.IsCased(rune))
            {
                return false;
            }
        }

        return isThere;
    }

    private static bool IsAtEnd(string text, string name, Bound bound)
    {
        (string part, int _) = Within(text, bound);
        IEnumerable<object?> ends = bound.Value(0) is JinjaTuple tuple ? tuple.Items : [bound.Value(0)];
        return ends.Any(end => SafeText.Plain(end) is { } plain
            ? name == "startswith" ? part.StartsWith(plain, StringComparison.Ordinal) : part.EndsWith(plain, StringComparison.Ordinal)
            : throw JinjaException.Type($"{name} first arg must be str or a tuple of str, not {Show.TypeOf(end)}"));
    }

    private static int Search(string text, string name, Bound bound)
    {
        (string part, int start) = Within(text, bound);
        string sub = Need(bound, 0);
        if (name == "count")
        {
            return start < 0 ? 0 : sub.Length == 0 ? PointText.Length(part) + 1 : PointText.Count(part, sub);
        }

        int at = start < 0 ? -1 : name is "find" or "index" ? PointText.IndexOf(part, sub) : PointText.LastIndexOf(part, sub);
        return at >= 0 ? start + PointText.Length(part.AsSpan(0, at))
            : name is "find" or "rfind" ? -1
            : throw JinjaException.Value("substring not found");
    }

    // The part between the second and the third argument, and where it begins; −1 where it begins beyond the end.
    private static (string Part, int Start) Within(string text, Bound bound)
    {
        if (!bound.Has(1) && !bound.Has(2))
        {
            return (text, 0);
        }

        int length = PointText.Length(text), start = bound.Int(1, 0), end = bound.Int(2, length);
        start = start < 0 ? Math.Max(0, start + length) : start;
        end = Math.Min(end < 0 ? Math.Max(0, end + length) : end, length);
        return start > length || end < start ? ("", -1) : (PointText.Part(text, start, end), start);
    }

    private static List<string> Split(string text, string separator, int cuts)
    {
        Effort.SpendOnSearch(text, separator);
        var parts = new List<string>();
        int from = 0;
        for (int at; cuts != 0 && (at = text.IndexOf(separator, from, StringComparison.Ordinal)) >= 0; cuts--)
        {
            parts.Add(text[from..at]);
            from = at + separator.Length;
        }

        parts.Add(text[from..]);
        return parts;
    }

    private static List<string> SplitFromRight(string text, string separator, int cuts)
    {
        Effort.SpendOnSearch(text, separator);
        var parts = new List<string>();
        int end = text.Length;
        for (int at; cuts != 0 && (at = text.AsSpan(0, end).LastIndexOf(separator)) >= 0; cuts--)
        {
            parts.Add(text[(at + separator.Length)..end]);
            end = at;
        }

        parts.Add(text[..end]);
        parts.Reverse();
        return parts;
    }
}
