using System.Globalization;
using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>Scores of tokens as lines of columns with tabs between them, the first line their names.</summary>
/// <param name="writer">Where to.</param>
/// <param name="tokenizer">Of the tokens.</param>
public sealed class TokenTable(TextWriter writer, Tokenizer tokenizer)
{
    private const string Columns = "token\ttext\tbytes\tnats\trank\tentropy\tpredicted\tprobability";

    /// <summary>Writes the names of the columns.</summary>
    /// <param name="places">Those that say where a token stands.</param>
    public void Begin(params IEnumerable<string> places) => writer.Write($"{string.Join('\t', places)}\t{Columns}\n");

    /// <summary>Writes a token.</summary>
    public void Add(in TokenScore score, params ReadOnlySpan<object> places)
    {
        foreach (object place in places)
        {
            writer.Write(place is string text ? Escaped(Encoding.UTF8.GetBytes(text)) : Convert.ToString(place, CultureInfo.InvariantCulture));
            writer.Write('\t');
        }

        writer.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"{score.Token}\t{TextOf(score.Token)}\t{tokenizer.BytesOf(score.Token).Length}\t{score.Nats:g9}\t{score.Rank}\t{score.Entropy:g9}\t{score.Predicted}\t{score.Probability:g9}\n"));
    }

    /// <summary>A text on one line: <c>\n</c>, <c>\t</c>, <c>\r</c>, <c>\\</c>, and <c>\x</c> with two digits for other control characters and bytes that are no UTF-8.</summary>
    internal static string Escaped(ReadOnlySpan<byte> utf8)
    {
        var text = new StringBuilder(utf8.Length);
        while (!utf8.IsEmpty)
        {
            bool isWhole = Rune.DecodeFromUtf8(utf8, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            _ = (isWhole, rune.Value) switch
            {
                (false, _) => AppendBytes(text, utf8[..length]),
                (_, '\n') => text.Append("\\n"),
                (_, '\t') => text.Append("\\t"),
                (_, '\r') => text.Append("\\r"),
                (_, '\\') => text.Append("\\\\"),
                _ when Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 => AppendBytes(text, utf8[..length]),
                _ => text.Append(rune.ToString()),
            };
            utf8 = utf8[length..];
        }

        return text.ToString();
    }

    private static StringBuilder AppendBytes(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            text.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
        }

        return text;
    }

    private string TextOf(int token) => tokenizer.BytesOf(token) is { IsEmpty: false } bytes ? Escaped(bytes) : Escaped(Encoding.UTF8.GetBytes(tokenizer.Describe(token)));
}
