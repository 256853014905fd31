using System.Runtime.InteropServices;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Data;

/// <summary>Splits a corpus, learns its tokenizer from the part to train on, and writes the tokens of both parts.</summary>
internal sealed class DatasetBuilder(Corpus corpus, TokenizerSpec spec, DataConfig config, Corpus? validation, CancellationToken cancel)
{
    /// <summary>Writes the tokenizer and both shards into an existing, empty folder.</summary>
    public void Build(string folder)
    {
        if (corpus.Tokens is not null || validation?.Tokens is not null)
        {
            new TokenFileSet(corpus, spec, config, validation, cancel).Build(folder);
            return;
        }

        bool marked = IsMarked();
        bool bytes = spec.Tokenizer is ByteTokenizer || (spec.Tokenizer is null && spec.BpeVocab == 0);
        Split split = validation is not null
            ? new Split(Split.Whole(corpus.Documents), Split.Whole(validation.Documents))
            : Split.Of(corpus.Documents, config.ValidationFraction, atCharacter: !bytes, config.Split == SplitKind.Shuffled ? config.SplitSeed : null);
        Tokenizer tokenizer = spec.Tokenizer ?? (bytes ? new ByteTokenizer(marked) : BpeLearning.Learn(split.Train, spec.BpeVocab, marked, cancel));
        tokenizer.Save(folder);
        HeldBack.Of(split).Write(folder);
        Write(Path.Combine(folder, TokenDataset.TrainFile), tokenizer, split.Train, marked);
        Write(Path.Combine(folder, TokenDataset.ValidationFile), tokenizer, split.Validation, marked);
    }

    private bool IsMarked()
    {
        bool hasMarks = spec.Tokenizer is { Bos: not null, Eos: not null };
        return config.Documents switch
        {
            DocumentMode.Mark when spec.Tokenizer is not null && !hasMarks =>
                throw new UserException($"{corpus.Name}: documents cannot be marked: the given tokenizer has no BOS and EOS tokens"),
            DocumentMode.Mark => true,
            DocumentMode.Auto => corpus.Documents.Count > 1 && (hasMarks || spec.BpeVocab > 0),
            _ => false,
        };
    }

    private void Write(string path, Tokenizer tokenizer, IReadOnlyList<TextPiece> pieces, bool marked)
    {
        using var writer = new TokenShardWriter(path, tokenizer.Vocab, marked);
        var ids = new List<int>();
        foreach (TextPiece piece in pieces)
        {
            writer.StartDocument();
            if (marked && piece.Begins)
            {
                writer.Write([tokenizer.Bos!.Value]);
            }

            foreach (ReadOnlyMemory<byte> chunk in TextChunks.Read(piece, tokenizer: tokenizer))
            {
                cancel.ThrowIfCancellationRequested();
                ids.Clear();
                tokenizer.Encode(chunk.Span, ids);
                writer.Write(CollectionsMarshal.AsSpan(ids));
            }

            if (marked && piece.Ends)
            {
                writer.Write([tokenizer.Eos!.Value]);
            }
        }

        writer.Commit(pieces.Sum(piece => piece.Bytes));
    }
}
