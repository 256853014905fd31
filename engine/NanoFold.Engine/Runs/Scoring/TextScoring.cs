using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>A token of a text and what a model says of it.</summary>
/// <param name="Document">From 0.</param>
/// <param name="Position">Of the token in its document, from 0.</param>
/// <param name="Score">What is said.</param>
public readonly record struct PlacedScore(long Document, long Position, TokenScore Score);

/// <summary>What a model scored over a text, token by token.</summary>
/// <param name="Evaluation">Mean loss, bits per byte.</param>
/// <param name="Words">Pieces between runs of white space, of each document.</param>
/// <param name="Calibration">How sure the model is of the token that it finds most likely, and how often that one follows.</param>
public sealed record TextScores(Evaluation Evaluation, long Words, Calibration Calibration)
{
    /// <summary>exp(Σ nats / words).</summary>
    public double WordPerplexity => Math.Exp(Evaluation.Loss * Evaluation.Tokens / Words);

    /// <summary>exp(Σ nats / bytes).</summary>
    public double BytePerplexity => Math.Exp(Evaluation.Loss * Evaluation.Tokens / Evaluation.Bytes);
}

/// <summary>Scores the tokens of a text one by one: in the windows that training evaluates, or in windows of each document that move on by a stride.</summary>
/// <param name="model">Causal.</param>
/// <param name="tokenizer">Its tokenizer.</param>
public sealed class TextScoring(Transformer model, Tokenizer tokenizer)
{
    /// <summary>New tokens of each window; null for windows of the whole text one after the other, that know nothing of what stands before them.</summary>
    public int? Stride { get; init; }

    /// <summary>Whether tokens see their own document only; with a stride, no window has more than one.</summary>
    public bool MaskDocuments { get; init; }

    /// <summary>Whether the text is there from its beginning: then its documents begin with the token for that, where the tokenizer has one.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Scores it.</summary>
    /// <param name="text">Its tokens.</param>
    /// <param name="each">Gets each token in order; null where nobody wants them.</param>
    /// <param name="cancel">Looked at between two batches.</param>
    public TextScores Run(TokenShard text, Action<PlacedScore>? each = null, CancellationToken cancel = default)
    {
        var words = new DocumentWords();
        var calibration = new Calibration();
        double nats = 0;
        long tokens = 0, bytes = 0, document = -1, next = 0, start = 0;
        using var scorer = new RowScorer(model);
        scorer.Score(Stride is { } stride ? Documents(text, stride) : Windows(text), (row, scores) =>
        {
            int at = 0;
            for (int i = 0; i < row.Targets.Length; i++)
            {
                if (row.Targets[i] < 0)
                {
                    continue;
                }

                TokenScore score = scores[at++];
                long place = row.Id + i + 1;
                if (place >= next)
                {
                    document = text.DocumentAt(place);
                    start = text.DocumentStart((int)document);
                    next = document + 1 < text.Documents ? text.DocumentStart((int)document + 1) : long.MaxValue;
                    words.NextDocument();
                }

                nats += score.Nats;
                tokens++;
                bytes += tokenizer.BytesOf(score.Token).Length;
                words.Add(tokenizer.BytesOf(score.Token));
                calibration.Add(score.Probability, score.IsGreedy);
                each?.Invoke(new PlacedScore(document, place - start, score));
            }
        }, cancel);
        double loss = nats / tokens;
        return new TextScores(new Evaluation(loss, bytes > 0 ? nats / (Math.Log(2) * bytes) : double.NaN, tokens, bytes), words.Count(), calibration);
    }

    private IEnumerable<ScoredRow> Windows(TokenShard text)
    {
        int time = model.Config.Context;
        for (long start = 0; start < text.Tokens - 1; start += time)
        {
            int length = (int)Math.Min(time, text.Tokens - 1 - start);
            int[] read = new int[length], targets = new int[length], documents = new int[MaskDocuments ? length : 0];
            TokenWindow.Fill(text, start, read, targets, documents);
            yield return new ScoredRow(start, read, targets, MaskDocuments ? documents : null);
        }
    }

    private IEnumerable<ScoredRow> Documents(TokenShard text, int stride)
    {
        for (int document = 0; document < text.Documents; document++)
        {
            long start = text.DocumentStart(document), end = document + 1 < text.Documents ? text.DocumentStart(document + 1) : text.Tokens;
            int? prefix = IsWhole && !text.Marked ? tokenizer.Bos ?? tokenizer.Eos : null;
            int before = prefix is null ? 0 : 1;
            foreach (SlidingWindow window in SlidingWindows.Over(end - start - 1 + before, model.Config.Context, stride))
            {
                var read = new int[window.Length + 1];
                int skipped = window.Start < before ? 1 : 0;
                read[0] = prefix ?? 0;
                text.Copy(start + window.Start - before + skipped, read.AsSpan(skipped));
                yield return window.Row(start + window.Start - before, read);
            }
        }
    }

    // Words of each document, of its tokens' bytes.
    private sealed class DocumentWords
    {
        private readonly Utf8Stream _text = new();
        private WordCounter _counter;
        private long _before;
        private bool _isInside;

        public void NextDocument()
        {
            _before = Count();
            _counter = default;
            _isInside = true;
        }

        public void Add(ReadOnlySpan<byte> bytes)
        {
            if (!bytes.IsEmpty)
            {
                _counter.Add(_text.Write(bytes));
            }
        }

        public long Count()
        {
            _counter.Add(_text.Flush());
            return _before + (_isInside ? _counter.Words : 0);
        }
    }
}
