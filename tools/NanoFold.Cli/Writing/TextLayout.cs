namespace NanoFold.Cli.Writing;

/// <summary>Text laid out for a number of columns: words are never broken, whatever is cut says so. A width of 0 is of no terminal: lines are as long as they are.</summary>
internal static class TextLayout
{
    private const string Gap = "  ";

    // Where less is left for a last cell, it goes into lines of its own.
    private const int LeastCell = 16;

    /// <summary>A paragraph: lines of whole words, the later ones after an indent. A word longer than a line has a line of its own.</summary>
    public static IEnumerable<string> Wrap(string text, int width, string indent = "")
    {
        if (width <= 0 || text.Length <= width)
        {
            return [text];
        }

        var lines = new List<string>();
        string lead = text[..(text.Length - text.TrimStart(' ').Length)], line = lead;
        bool isEmpty = true;
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!isEmpty && line.Length + 1 + word.Length > width)
            {
                lines.Add(line);
                line = lead + indent;
                isEmpty = true;
            }

            line = isEmpty ? line + word : $"{line} {word}";
            isEmpty = false;
        }

        lines.Add(line);
        return lines;
    }

    /// <summary>Rows in aligned columns. Where numbers do not fit side by side, the columns that are left follow below, beside the first one again.</summary>
    /// <param name="rows">Their cells.</param>
    /// <param name="numbers">The columns after the first hold numbers and are aligned to the right. Otherwise a last cell that is too long is a paragraph.</param>
    /// <param name="width">Columns of the terminal, or 0.</param>
    public static IEnumerable<string> Table(IReadOnlyList<string[]> rows, bool numbers, int width)
    {
        int[] widths = [.. Enumerable.Range(0, rows.Max(row => row.Length)).Select(c => rows.Max(row => c < row.Length ? row[c].Length : 0))];
        return width <= 0 || Total(widths) <= width ? rows.Select(row => Row(row, widths, numbers))
            : numbers ? Blocks(rows, widths, width)
            : Paragraphs(rows, widths, width);
    }

    private static IEnumerable<string> Blocks(IReadOnlyList<string[]> rows, int[] widths, int width)
    {
        // Names give way to the widest number.
        widths[0] = Math.Min(widths[0], Math.Max(LeastCell / 2, width - Gap.Length - widths.Skip(1).DefaultIfEmpty().Max()));
        for (int first = 1; first < widths.Length;)
        {
            int end = first + 1;
            while (end < widths.Length && Total([widths[0], .. widths[first..(end + 1)]]) <= width)
            {
                end++;
            }

            if (first > 1)
            {
                yield return "";
            }

            foreach (string[] row in rows)
            {
                yield return Row([Cut(row[0], widths[0]), .. row.Skip(first).Take(end - first)], [widths[0], .. widths[first..end]], numbers: true);
            }

            first = end;
        }
    }

    private static IEnumerable<string> Paragraphs(IReadOnlyList<string[]> rows, int[] widths, int width)
    {
        int before = Total(widths[..^1]) + (widths.Length > 1 ? Gap.Length : 0), left = width - before;
        bool fits = left >= Math.Max(LeastCell, rows.Where(row => row.Length == widths.Length).SelectMany(row => row[^1].Split(' ')).Max(word => word.Length));
        return rows.SelectMany(row => !fits ? Wrap(string.Join(Gap, row), width, Gap)
            : row.Length < widths.Length ? [Row(row, widths, numbers: false)]
            : Wrap(row[^1], left).Select((line, i) => i == 0 ? Row([.. row[..^1], line], widths, numbers: false) : new string(' ', before) + line));
    }

    private static string Row(string[] row, int[] widths, bool numbers)
        => string.Join(Gap, row.Select((cell, c) => numbers && c > 0 ? cell.PadLeft(widths[c]) : cell.PadRight(widths[c]))).TrimEnd();

    private static string Cut(string text, int length) => text.Length <= length ? text : $"{text[..(length - 1)]}…";

    private static int Total(ReadOnlySpan<int> widths)
    {
        int sum = 0;
        foreach (int width in widths)
        {
            sum += width;
        }

        return sum + (Gap.Length * Math.Max(0, widths.Length - 1));
    }
}
