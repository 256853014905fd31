using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A row in words: tokens by <see cref="LearningTask.Symbol"/>, features as vectors. What a place asks for stands after it in brackets; a label that is the next token
/// is shown there, once. Where every place asks for the next token, nothing is marked. A bar parts documents.
/// </summary>
internal static class RowText
{
    // Numbers of a vector that are shown.
    private const int Shown = 4;

    /// <summary>All places of a row.</summary>
    public static string Of(LearningTask task, in BatchRow row)
        => row.Integers(BatchField.Tokens) is { IsEmpty: false } tokens ? OfTokens(task, tokens, row.Integers(BatchField.Targets), row.Integers(BatchField.Documents)) : OfReals(row);

    private static string OfTokens(LearningTask task, ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<int> documents)
    {
        bool asksForNext = AsksForNext(tokens, targets);
        bool asksForAll = asksForNext && !targets.Contains(-1);
        var text = new StringBuilder();
        for (int t = 0; t < tokens.Length; t++)
        {
            // Places that belong to no document are left over.
            if (!documents.IsEmpty && documents[t] < 0)
            {
                break;
            }

            bool isLabel = t > 0 && targets[t - 1] >= 0 && asksForNext && !asksForAll;
            text.Append(t == 0 ? "" : !documents.IsEmpty && documents[t] != documents[t - 1] ? " | " : " ");
            text.Append(isLabel ? $"[{task.Symbol(tokens[t])}]" : task.Symbol(tokens[t]));
            if (targets[t] >= 0 && !asksForAll && (!asksForNext || t + 1 == tokens.Length))
            {
                text.Append(CultureInfo.InvariantCulture, $" [{task.Symbol(targets[t])}]");
            }
        }

        return text.ToString();
    }

    // A label may be the next token by chance; all of them are where they are next tokens.
    private static bool AsksForNext(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets)
    {
        int asked = 0;
        for (int t = 0; t + 1 < tokens.Length; t++)
        {
            if (targets[t] >= 0 && targets[t] != tokens[t + 1])
            {
                return false;
            }

            asked += targets[t] >= 0 ? 1 : 0;
        }

        return asked > 0;
    }

    private static string OfReals(in BatchRow row)
    {
        ReadOnlySpan<float> features = row.Reals(BatchField.Features), values = row.Reals(BatchField.Values);
        ReadOnlySpan<int> targets = row.Integers(BatchField.Targets);
        int width = features.Length / Math.Max(1, targets.Length), outputs = values.Length / Math.Max(1, targets.Length);
        var text = new StringBuilder();
        for (int t = 0; t < targets.Length; t++)
        {
            text.Append(t == 0 ? "" : " ").Append(Vector(features.Slice(t * width, width)));
            if (targets[t] >= 0)
            {
                text.Append(CultureInfo.InvariantCulture, $" [{Vector(values.Slice(t * outputs, outputs))}]");
            }
        }

        return text.ToString();
    }

    private static string Vector(ReadOnlySpan<float> values)
    {
        string[] numbers = [.. values[..Math.Min(Shown, values.Length)].ToArray().Select(Number)];
        string all = string.Join(", ", numbers) + (values.Length > Shown ? ", …" : "");
        return values.Length == 1 ? all : $"({all})";
    }

    // Without the sign of a zero.
    private static string Number(float value) => (MathF.Round(value, 2) + 0f).ToString("0.##", CultureInfo.InvariantCulture);
}
