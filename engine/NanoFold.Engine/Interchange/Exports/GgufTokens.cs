using System.Text;
using NanoFold.Engine.Interchange.Gguf;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.Exports;

/// <summary>A tokenizer in the metadata of a GGUF file.</summary>
internal static class GgufTokens
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>Adds its keys; where it has no place, the file says that it has no tokenizer.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="tokenizer">The tokenizer, or null.</param>
    /// <param name="vocab">Of the model: rows without a token are said to be unused.</param>
    /// <param name="template">The text of its chat template, or null.</param>
    /// <param name="notes">Gets why it has no place.</param>
    public static void Write(GgufWriter writer, Tokenizer? tokenizer, int vocab, string? template, List<string> notes)
    {
        GgufVocabulary? found = null;
        try
        {
            found = tokenizer is null ? null : GgufVocabulary.Of(tokenizer);
        }
        catch (UserException e)
        {
            notes.Add($"{e.Message}: the file has no tokenizer");
        }

        if (found is not { } vocabulary)
        {
            writer.Text(Prefix + "model", "none");
            return;
        }

        int missing = vocab - vocabulary.Tokens.Count;
        writer.Text(Prefix + "model", vocabulary.Model);
        if (vocabulary.Model == "gpt2")
        {
            writer.Text(Prefix + "pre", vocabulary.Pre);
        }
        else
        {
            writer.Flag(Prefix + "add_space_prefix", vocabulary.AddSpacePrefix);
            writer.Flag(Prefix + "remove_extra_whitespaces", vocabulary.RemoveExtraWhitespaces);
        }

        writer.Texts(Prefix + "tokens", [.. vocabulary.Tokens, .. Enumerable.Range(0, missing).Select(i => Encoding.UTF8.GetBytes($"[PAD{vocabulary.Tokens.Count + i}]"))]);
        int[] kinds = vocabulary.Kinds.Count > 0 ? [.. vocabulary.Kinds] : [.. Enumerable.Repeat(GgufVocabulary.Normal, vocabulary.Tokens.Count)];
        writer.Numbers(Prefix + "token_type", [.. kinds, .. Enumerable.Repeat(GgufVocabulary.Unused, missing)]);
        if (vocabulary.Scores.Count > 0)
        {
            writer.Reals(Prefix + "scores", [.. vocabulary.Scores, .. new float[missing]]);
        }

        if (vocabulary.Model == "gpt2")
        {
            writer.Texts(Prefix + "merges", [.. vocabulary.Merges.Select(Encoding.UTF8.GetBytes)]);
        }

        if (vocabulary.Bos is { } bos)
        {
            writer.Number(Prefix + "bos_token_id", bos);
        }

        if (vocabulary.Eos is { } eos)
        {
            writer.Number(Prefix + "eos_token_id", eos);
        }

        if (vocabulary.AddBos is { } add)
        {
            writer.Flag(Prefix + "add_bos_token", add);
        }

        if (template is not null)
        {
            writer.Text(GgufTokenizer.ChatTemplateKey, template);
        }
    }
}
