using System.Diagnostics;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Times a model with random weights: reading a prompt, then writing token by token.</summary>
/// <param name="TokensPerSecond">Written, of the whole batch: by the median run.</param>
/// <param name="PrefillTokensPerSecond">Read of the prompts: by the median round.</param>
/// <param name="BytesPerToken">See <see cref="DecodeCost"/>, at the mean position.</param>
/// <param name="BandwidthBytesPerSecond">What the same threads read of memory that no cache holds, measured between rounds.</param>
public sealed record DecodeBenchmark(double TokensPerSecond, double PrefillTokensPerSecond, double BytesPerToken, double BandwidthBytesPerSecond)
{
    private const int FewestRounds = 3;
    private const int MostRounds = 20;
    private const double SecondsOfRounds = 4;

    /// <summary>Share of the memory's rate that decoding needs; above 1 where caches hold part of the weights.</summary>
    public double BandwidthShare => BytesPerToken * TokensPerSecond / BandwidthBytesPerSecond;

    /// <param name="config">Resolved, its vocabulary known.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="promptTokens">Tokens of each prompt, at least 1.</param>
    /// <param name="tokens">Tokens written to each, at least 1; both together are at most the context.</param>
    /// <param name="batch">Sequences at once.</param>
    /// <param name="storage">What its weights are in memory.</param>
    /// <exception cref="UserException">They do not fit the context, or the model does not fit this machine.</exception>
    public static DecodeBenchmark Run(RunConfig config, Backend backend, int promptTokens, int tokens, int batch, WeightStorage storage = WeightStorage.Float32)
    {
        if ((long)promptTokens + tokens > config.Model.Context)
        {
            throw UserException.Usage(
                $"bench decode: --prompt-tokens {promptTokens} and --tokens {tokens} are more than the context of {config.Model.Context}; name fewer, or a larger --context");
        }

        MemoryCheck.RequireShape(config);
        MemoryCheck.RequireDecoding(config.Model, batch, backend);
        using Transformer model = RandomModel.Create(config, backend, storage);
        return Run(model, backend, promptTokens, tokens, batch);
    }

    /// <summary>The same of a model that is there.</summary>
    /// <inheritdoc cref="Run(RunConfig, Backend, int, int, int, WeightStorage)"/>
    public static DecodeBenchmark Run(Transformer model, Backend backend, int promptTokens, int tokens, int batch)
    {
        using var decoder = new Decoder(model, batch);
        using var bandwidth = new MemoryBandwidth(backend);
        var round = new Round(backend, decoder, model.Config.Vocab, promptTokens, tokens);
        List<double> prefills = [], steps = [], reads = [];
        round.Run();
        bandwidth.Measure();
        long started = Stopwatch.GetTimestamp();
        do
        {
            reads.Add(bandwidth.Measure());
            prefills.Add(round.Run());
            steps.AddRange(round.Steps);
        }
        while (reads.Count < FewestRounds || (reads.Count < MostRounds && Stopwatch.GetElapsedTime(started).TotalSeconds < SecondsOfRounds));

        // The first written token sees the prompt and itself.
        double meanKeys = promptTokens + ((tokens + 1) / 2.0);
        return new DecodeBenchmark(
            batch / SampleStatistics.Median(steps),
            (double)batch * promptTokens / SampleStatistics.Median(prefills),
            DecodeCost.BytesPerToken(model, (int)meanKeys, batch),
            SampleStatistics.Median(reads));
    }

    /// <summary>Prompts that are read, and tokens that are written to them.</summary>
    private sealed class Round(Backend backend, Decoder decoder, int vocab, int promptTokens, int tokens)
    {
        private readonly Random _random = new(1);
        private readonly int[] _prompt = new int[promptTokens];
        private readonly float[] _logits = new float[vocab];

        /// <summary>Seconds of each run that wrote a token to every row.</summary>
        public double[] Steps { get; } = new double[tokens];

        /// <summary>Returns the seconds of reading the prompts.</summary>
        public double Run()
        {
            long started = Stopwatch.GetTimestamp();
            for (int row = 0; row < decoder.Batch; row++)
            {
                Fill(_prompt);
                decoder.Begin(row, _prompt);
            }

            while (!decoder.HasLogits(0))
            {
                decoder.Run();
            }

            backend.Synchronize();
            double prefill = Stopwatch.GetElapsedTime(started).TotalSeconds;
            for (int i = 0; i < tokens; i++)
            {
                started = Stopwatch.GetTimestamp();
                for (int row = 0; row < decoder.Batch; row++)
                {
                    decoder.Append(row, _random.Next(vocab));
                }

                decoder.Run();
                for (int row = 0; row < decoder.Batch; row++)
                {
                    decoder.ReadLogits(row, _logits);
                }

                Steps[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
            }

            return prefill;
        }

        private void Fill(int[] prompt)
        {
            for (int i = 0; i < prompt.Length; i++)
            {
                prompt[i] = _random.Next(vocab);
            }
        }
    }
}
