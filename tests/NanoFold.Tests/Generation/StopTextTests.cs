using NanoFold.Engine.Generation;

namespace NanoFold.Tests.Generation;

public class StopTextTests
{
    private static readonly (string Text, string[] Stops)[] s_cases =
    [
        ("Hello world", ["wor"]),
        ("Hello world", ["H"]),
        ("Hello world", ["d"]),
        ("Hello world", ["xyz"]),
        ("Hello world", ["Hello world"]),
        ("Hello world", ["Hello world!"]),
        ("aaab aab ab", ["aab"]),
        ("abababac", ["ababac"]),
        ("abcd", ["abcd", "c"]),
        ("xabcd", ["bc", "abc", "c"]),
        ("one\n\ntwo", ["\n\n", "User:"]),
        ("你好，世界", ["世"]),
        ("a😀b😀c", ["😀c"]),
        ("", ["a"]),
        ("no stops", []),
    ];

    private static IEnumerable<TestCaseData> Cases() => s_cases.Select(c => new TestCaseData(c.Text, c.Stops));

    [TestCaseSource(nameof(Cases))]
    public void TheCutIntoPiecesDoesNotMatter(string text, string[] stops)
    {
        (string expected, bool stopped) = Expected(text, stops);
        foreach (List<string> pieces in Cuts(text))
        {
            var growing = new StopText(stops);
            string shown = "";
            foreach (string piece in pieces)
            {
                shown += growing.Append(piece);
                Assert.That(expected, Does.StartWith(shown), $"shown of {string.Join('|', pieces)}");
                if (growing.IsStopped)
                {
                    break;
                }
            }

            shown += growing.Finish();
            Assert.That((shown, growing.ToString(), growing.IsStopped), Is.EqualTo((expected, expected, stopped)), string.Join('|', pieces));
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void OnlyWhatMayBeAStopIsHeldBack(string text, string[] stops)
    {
        var growing = new StopText(stops);
        string shown = "";
        for (int i = 0; i < text.Length && !growing.IsStopped; i++)
        {
            shown += growing.Append(text[i..(i + 1)]);
            string heldBack = growing.ToString()[shown.Length..];
            Assert.That(heldBack == "" || stops.Any(stop => stop.StartsWith(heldBack, StringComparison.Ordinal)), heldBack);
        }
    }

    // The stop that ends first; of those that end there the longest.
    private static (string Text, bool IsStopped) Expected(string text, string[] stops)
    {
        for (int end = 1; end <= text.Length; end++)
        {
            if (stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)).MaxBy(stop => stop.Length) is { } found)
            {
                return (text[..(end - found.Length)], true);
            }
        }

        return (text, false);
    }

    // All cuts into two and three pieces, into single characters, and the whole.
    private static IEnumerable<List<string>> Cuts(string text)
    {
        yield return [text];
        yield return [.. text.Select(c => c.ToString())];
        for (int i = 0; i <= text.Length; i++)
        {
            for (int j = i; j <= text.Length; j++)
            {
                yield return [text[..i], text[i..j], text[j..]];
            }
        }
    }
}
