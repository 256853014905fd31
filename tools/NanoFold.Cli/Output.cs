using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Cli.Writing;
using NanoFold.Engine;

namespace NanoFold.Cli;

/// <summary>
/// Where a verb writes. With <c>--json</c>, standard output gets one JSON object as its last line and nothing else; what is meant for
/// people goes to standard error.
/// </summary>
/// <param name="standard">Standard output.</param>
/// <param name="error">Standard error.</param>
/// <param name="json">Whether the result is asked for as JSON.</param>
/// <param name="width">Columns that lines are laid out for, 0 for any; null for those of the terminal, where there is one.</param>
internal sealed class Output(TextWriter standard, TextWriter error, bool json, int? width = null)
{
    private static readonly JsonSerializerOptions s_line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether <see cref="Text"/> is a terminal where a bar can move; one that says it is dumb, or that is to have no colors, gets plain lines.</summary>
    public bool IsTerminal => CanMove(Columns(Text), Environment.GetEnvironmentVariable("TERM"), Environment.GetEnvironmentVariable("NO_COLOR"));

    /// <summary>Text that a verb is asked for: a table, a sample.</summary>
    public TextWriter Text => json ? error : standard;

    /// <summary>What goes on, and what went wrong.</summary>
    public TextWriter Error => error;

    /// <summary>A line about what goes on, marked as this program's.</summary>
    public void Note(string line) => Write(error, Marked(line), width);

    /// <inheritdoc cref="Note(string)"/>
    public static void Note(TextWriter error, string line) => Write(error, Marked(line), width: null);

    /// <summary>A line of text, in whole words where a terminal is narrower.</summary>
    public void Line(string text = "") => Write(Text, text, width);

    /// <summary>Rows in aligned columns.</summary>
    /// <param name="numbers">The columns after the first hold numbers and are aligned to the right.</param>
    /// <param name="rows">Their cells.</param>
    public void Table(bool numbers, params IReadOnlyList<string[]> rows)
    {
        foreach (string line in TextLayout.Table(rows, numbers, width ?? Columns(Text)))
        {
            Text.WriteLine(line);
        }
    }

    /// <summary>Whether a bar can move in a terminal of so many columns (0: none) with these values of TERM and NO_COLOR.</summary>
    internal static bool CanMove(int columns, string? term, string? noColor) => columns > 0 && term is not "dumb" && string.IsNullOrEmpty(noColor);

    /// <summary>Columns of the terminal that a writer is, or 0 where it is none.</summary>
    public static int Columns(TextWriter writer)
    {
        if (!(ReferenceEquals(writer, Console.Out) && !Console.IsOutputRedirected) && !(ReferenceEquals(writer, Console.Error) && !Console.IsErrorRedirected))
        {
            return 0;
        }

        try
        {
            return Console.WindowWidth;
        }
        catch (IOException)
        {
            return 0;
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

    private static string Marked(string line) => $"{Program.Name}: {line}";

    private static void Write(TextWriter writer, string text, int? width)
    {
        foreach (string line in TextLayout.Wrap(text, width ?? Columns(writer)))
        {
            writer.WriteLine(line);
        }
    }
}
