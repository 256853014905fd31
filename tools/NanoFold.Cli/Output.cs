using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine;

namespace NanoFold.Cli;

/// <summary>
/// Where a verb writes. With <c>--json</c>, standard output gets one JSON object as its last line and nothing else; what is meant for
/// people goes to standard error.
/// </summary>
internal sealed class Output(TextWriter standard, TextWriter error, bool json)
{
    private static readonly JsonSerializerOptions s_line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether <see cref="Text"/> is a terminal, where a bar can move.</summary>
    public bool IsTerminal => ReferenceEquals(Text, Console.Out) && !Console.IsOutputRedirected || ReferenceEquals(Text, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>Text that a verb is asked for: a table, a sample.</summary>
    public TextWriter Text => json ? error : standard;

    /// <summary>What goes on, and what went wrong.</summary>
    public TextWriter Error => error;

    /// <summary>A line about what goes on, marked as this program's.</summary>
    public void Note(string line) => error.WriteLine($"{Program.Name}: {line}");

    /// <summary>Rows in aligned columns.</summary>
    /// <param name="numbers">The columns after the first hold numbers and are aligned to the right.</param>
    /// <param name="rows">Their cells.</param>
    public void Table(bool numbers, params IReadOnlyList<string[]> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows.Max(row => row.Length)).Select(c => rows.Max(row => c < row.Length ? row[c].Length : 0))];
        foreach (string[] row in rows)
        {
            Text.WriteLine(string.Join("  ", row.Select((cell, c) => numbers && c > 0 ? cell.PadLeft(widths[c]) : cell.PadRight(widths[c]))).TrimEnd());
        }
    }

    /// <summary>The result, where it is asked for as JSON; figures that are not finite are null. Nothing may be written to standard output after it.</summary>
    public void Result(JsonObject result)
    {
        if (json)
        {
            standard.WriteLine(FiniteJson.Clean(result)!.ToJsonString(s_line));
            standard.Flush();
        }
    }
}
