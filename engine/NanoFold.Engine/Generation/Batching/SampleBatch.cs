using System.Text;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Generation.Batching;

/// <summary>Writes samples side by side and tells of them one after the other, as if they were written so.</summary>
/// <remarks>For one thread at a time.</remarks>
internal sealed class SampleBatch(Transformer model, Tokenizer tokenizer) : IDisposable
{
    // Samples that are written at a time at most: each has a cache of the model's context, and all of them have half of the memory.
    private const int MostRows = 8;

    private TextBatch? _batch;

    /// <summary>Writes a sample for each prompt.</summary>
    /// <param name="prompts">With their tokens and how many equal ones stand before each.</param>
    /// <param name="options">Checked before.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="onText">Told of new text with the index of its prompt, in the order of the prompts; null for nobody.</param>
    /// <param name="cancellationToken">Looked at before every step.</param>
    /// <exception cref="UserException">A logit is not a number.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; all text so far was told.</exception>
    public GenerationResult Write(
        IReadOnlyList<(string Text, int[] Tokens, int Number)> prompts, GenerationConfig options, ulong seed, Action<int, string>? onText, CancellationToken cancellationToken)
    {
        TextBatch batch = WithRows(prompts.Count);
        using var left = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var samples = new GeneratedSample?[prompts.Count];
        var teller = new Teller(samples, onText);
        var clock = new DecodeClock();
        Exception? fault = null;
        clock.Begin();
        for (int i = 0; i < samples.Length; i++)
        {
            (string text, int[] tokens, int number) = prompts[i];
            int index = i;
            var ids = new List<int>();
            batch.Add(new TextRequest
            {
                Prompt = tokens,
                Options = options,
                Seed = seed,
                Number = number,
                Cancel = left.Token,
                OnToken = token =>
                {
                    clock.Add();
                    ids.Add(token.Token);
                    teller.Add(index, token.Text);
                },
                OnEnd = end =>
                {
                    fault ??= end.Fault;
                    samples[index] = end.Finish is { } finish ? new GeneratedSample(text, end.Text, ids, finish, end.DroppedPromptTokens, number) : null;
                    teller.GoOn();
                },
            });
        }

        try
        {
            while (fault is null && batch.Turn())
            {
            }
        }
        finally
        {
            // Whatever ended it: no text stays behind for the next call.
            left.Cancel();
            batch.Turn();
            teller.TellAll();
        }

        if (Array.IndexOf(samples, null) >= 0)
        {
            throw fault ?? new OperationCanceledException(cancellationToken);
        }

        return new GenerationResult(samples!, clock.TokensPerSecond);
    }

    public void Dispose() => _batch?.Dispose();

    private TextBatch WithRows(int prompts)
    {
        long fit = DeviceMemory.Available(model.Backend) / 2 / Math.Max(1, model.CacheBytes(batch: 1, Decoder.SizesFor(model.Config)[^1]));
        int rows = (int)Math.Clamp(fit, 1, Math.Min(prompts, MostRows));
        if (_batch is null || _batch.Rows < rows)
        {
            _batch?.Dispose();
            _batch = null;
            _batch = new TextBatch(model, tokenizer, rows);
        }

        return _batch;
    }

    /// <summary>Keeps text back until its sample's turn.</summary>
    private sealed class Teller(GeneratedSample?[] samples, Action<int, string>? onText)
    {
        private readonly StringBuilder[] _kept = [.. samples.Select(_ => new StringBuilder())];
        private int _turn;

        public void Add(int index, string text)
        {
            _kept[index].Append(text);
            Tell(_turn);
        }

        /// <summary>Goes on to the first sample that has not ended.</summary>
        public void GoOn()
        {
            while (_turn < samples.Length && samples[_turn] is not null)
            {
                Tell(_turn++);
            }

            Tell(_turn);
        }

        public void TellAll()
        {
            while (_turn < samples.Length)
            {
                Tell(_turn++);
            }
        }

        private void Tell(int index)
        {
            if (index < _kept.Length && _kept[index].Length > 0)
            {
                onText?.Invoke(index, _kept[index].ToString());
                _kept[index].Clear();
            }
        }
    }
}
