using System.Text;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>Joins what the WikiText corpora set apart (<c>" @-@ "</c>, <c>" , "</c>, spaces inside brackets), by the rules of the lm-evaluation-harness, in its order.</summary>
internal static class WikiText
{
    private static readonly (string Apart, string Joined)[] s_first =
    [
        ("s '", "s'"), (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."),
        (" : ", ": "), (" ; ", "; "), (" . ", ". "), (" ! ", "! "), (" ? ", "? "), (" , ", ", "),
    ];

    private static readonly (char Open, char Close)[] s_pairs = [('(', ')'), ('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];

    private static readonly (string Apart, string Joined)[] s_last =
    [
        ("= = = =", "===="), ("= = =", "==="), ("= =", "=="), (" \u00B0 ", "\u00B0"), (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s"),
    ];

    /// <summary>The text as it was written.</summary>
    public static string Join(string page)
    {
        foreach ((string apart, string joined) in s_first)
        {
            page = page.Replace(apart, joined, StringComparison.Ordinal);
        }

        foreach ((char open, char close) in s_pairs)
        {
            page = Trim(page, open, close);
        }

        foreach ((string apart, string joined) in s_last)
        {
            page = page.Replace(apart, joined, StringComparison.Ordinal);
        }

        return page;
    }

    // White space goes away after what opens and before the next that closes.
    private static string Trim(string text, char open, char close)
    {
        var result = new StringBuilder(text.Length);
        int done = 0;
        for (int start; (start = text.IndexOf(open, done)) >= 0 && text.IndexOf(close, start + 1) is var end and >= 0; done = end + 1)
        {
            result.Append(text, done, start + 1 - done).Append(TextSpaces.Strip(text[(start + 1)..end])).Append(close);
        }

        return result.Append(text, done, text.Length - done).ToString();
    }
}
