using System.Runtime.InteropServices;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// Predicts lanes side by side with one decoder, a row a lane, and has their tokens coded. What it computes depends on the tokens before only, so that coding and decoding compute the same bits.
/// </summary>
internal sealed class LaneWalk : IDisposable
{
    // Enough for every size of chunk that a decoder reads.
    private const int ProbeTokens = 75;
    private const int SingleTokens = 3;

    private readonly Decoder _decoder;
    private readonly float[] _logits;
    private readonly int _vocab;
    private readonly TokenFrequencies _frequencies;
    private readonly int[] _budgets;

    /// <exception cref="UserException">The model is not causal, or there is no memory for what so many lanes remember.</exception>
    public LaneWalk(Transformer model, Tokenizer tokenizer, int lanes)
    {
        if (model.Config.WhyNotDecoded is null)
        {
            DeviceMemory.Require((Int128)CostModel.Of(model.Config).CacheBytesPerSequence * lanes, $"what {lanes} lanes remember, {model.Config.Context} tokens each", "fewer --lanes or a shorter model.context", model.Backend);
        }

        _decoder = new Decoder(model, lanes);
        _logits = new float[model.Config.Vocab];
        _vocab = tokenizer.Vocab;
        _frequencies = new TokenFrequencies(tokenizer.ByteLengths);
        _budgets = new int[lanes];
        Fingerprint = Probe(model.Config.Context);
    }

    /// <summary>Of the logits after tokens that are always the same.</summary>
    public uint Fingerprint { get; }

    /// <summary>Has lanes coded.</summary>
    /// <param name="coder">In either direction.</param>
    /// <param name="begin">The tokens that a lane goes on after; at least one.</param>
    /// <param name="most">Tokens of each lane; the lanes end with them.</param>
    /// <param name="coded">Told each token of a lane.</param>
    /// <param name="cancel">Looked at before every run of the model.</param>
    public void Run(LaneCoder coder, Func<int, ReadOnlySpan<int>> begin, int most, Action<int, int>? coded, CancellationToken cancel)
    {
        int active = 0;
        for (int lane = 0; lane < coder.Lanes.Count; lane++)
        {
            if (!coder.Lanes[lane].IsComplete)
            {
                _decoder.Begin(lane, begin(lane));
                _budgets[lane] = most;
                active++;
            }
        }

        while (active > 0)
        {
            cancel.ThrowIfCancellationRequested();
            _decoder.Run();
            for (int lane = 0; lane < coder.Lanes.Count; lane++)
            {
                if (!_decoder.HasLogits(lane))
                {
                    continue;
                }

                _decoder.ReadLogits(lane, _logits);
                ReadOnlySpan<float> logits = _logits.AsSpan(0, _vocab);
                _frequencies.Set(logits);
                int token = coder.Next(lane, _frequencies, logits);
                if (token >= 0)
                {
                    coded?.Invoke(lane, token);
                }

                if (token < 0 || coder.Lanes[lane].IsComplete || --_budgets[lane] == 0)
                {
                    _decoder.End(lane);
                    active--;
                }
                else
                {
                    _decoder.Append(lane, token);
                }
            }

            coder.EndStep();
        }
    }

    public void Dispose() => _decoder.Dispose();

    // A text that is read at once, then token by token, as what is coded is.
    private uint Probe(int context)
    {
        int[] tokens = [.. Enumerable.Range(0, Math.Min(ProbeTokens, context)).Select(i => (i * 37) % _vocab)];
        int read = Math.Max(1, tokens.Length - SingleTokens);
        _decoder.Begin(0, tokens.AsSpan(0, read));
        var sum = new Checksum();
        while (true)
        {
            do
            {
                _decoder.Run();
            }
            while (!_decoder.HasLogits(0));
            _decoder.ReadLogits(0, _logits);
            sum.Add(MemoryMarshal.AsBytes<float>(_logits));
            if (read == tokens.Length)
            {
                break;
            }

            _decoder.Append(0, tokens[read++]);
        }

        _decoder.End(0);
        return sum.Value;
    }
}
