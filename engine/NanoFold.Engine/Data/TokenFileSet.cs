using NanoFold.Engine.Corpora;
using NanoFold.Engine.Corpora.Formats;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Data;

/// <summary>
/// A data set of tokens that another program made. The tokens of all files stand in one row, of which the end validates where validation has no files of its own; a document begins at each
/// token that begins one.
/// </summary>
internal sealed class TokenFileSet(Corpus corpus, TokenizerSpec spec, DataConfig config, Corpus? validation, CancellationToken cancel)
{
    /// <summary>Writes the tokenizer and both shards into an existing, empty folder.</summary>
    /// <exception cref="UserException">There is no tokenizer, text stands beside tokens, or a file is damaged.</exception>
    public void Build(string folder)
    {
        if ((corpus.Tokens ?? validation?.Tokens) is not [{ } first, ..] || (corpus.Tokens is null || validation is { Tokens: null }))
        {
            throw new UserException($"{corpus.Name}: text to train on and text to validate on must both be text, or both be tokens");
        }

        Tokenizer tokenizer = spec.Tokenizer ?? throw new UserException(
            $"{corpus.Name}: is no text; as tokens of {first.Program} it needs their own tokenizer: name it with --set tokenizer=file --set tokenizer.path=FILE, or begin with a model that has it (--init)");
        if (config.Documents == DocumentMode.Mark && tokenizer.Bos is null)
        {
            throw new UserException($"{corpus.Name}: documents cannot be marked: the given tokenizer has no token that begins one");
        }

        tokenizer.Save(folder);
        long all = corpus.Tokens.Sum(file => file.Count);
        // In decimals, as the share of a text.
        long trained = validation is null ? (long)decimal.Floor((1m - (decimal)config.ValidationFraction) * all) : all;
        long trainBytes = Write(Path.Combine(folder, TokenDataset.TrainFile), tokenizer, corpus.Tokens, 0, trained);
        long otherBytes = Write(
            Path.Combine(folder, TokenDataset.ValidationFile), tokenizer, validation?.Tokens ?? corpus.Tokens, validation is null ? trained : 0, validation?.Tokens!.Sum(file => file.Count) ?? all);
        new HeldBack(otherBytes > 0 ? 1 : 0, 1, otherBytes, trainBytes + otherBytes, []).Write(folder);
    }

    private long Write(string path, Tokenizer tokenizer, IReadOnlyList<TokenFile> files, long from, long to)
    {
        int? mark = config.Documents == DocumentMode.Join ? null : tokenizer.Bos;
        ReadOnlyMemory<int> lengths = tokenizer.ByteLengths.ToArray();
        using var writer = new TokenShardWriter(path, tokenizer.Vocab, mark is not null);
        long at = 0, bytes = 0;
        foreach (TokenFile file in files)
        {
            long first = Math.Max(from - at, 0), count = Math.Min(to - at, file.Count) - first;
            at += file.Count;
            if (count <= 0)
            {
                continue;
            }

            file.Read(first, count, tokenizer.Vocab, tokens =>
            {
                cancel.ThrowIfCancellationRequested();
                foreach (int token in tokens)
                {
                    bytes += lengths.Span[token];
                }

                while (!tokens.IsEmpty)
                {
                    if (tokens[0] == mark)
                    {
                        writer.StartDocument();
                    }

                    int next = mark is { } begin ? tokens[1..].IndexOf(begin) : -1;
                    ReadOnlySpan<int> part = next < 0 ? tokens : tokens[..(next + 1)];
                    writer.Write(part);
                    tokens = tokens[part.Length..];
                }
            });
        }

        writer.Commit(bytes);
        return bytes;
    }
}
