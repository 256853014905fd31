using System.Diagnostics;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Times what a server does: texts that are written side by side, each to the bit as it is alone.</summary>
/// <param name="Streams">How many texts.</param>
/// <param name="TokensPerSecond">Of all of them: by the median step.</param>
public sealed record StreamBenchmark(int Streams, double TokensPerSecond)
{
    private const int Rounds = 3;

    /// <summary>Measures several numbers of texts in turn, so that whatever else the machine does meets all of them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="streams">Numbers of texts.</param>
    /// <param name="promptTokens">Tokens of each text before the first step, at least 1.</param>
    /// <param name="tokens">Steps, at least 1.</param>
    /// <exception cref="UserException">They do not fit the context.</exception>
    public static IReadOnlyList<StreamBenchmark> Run(Transformer model, IReadOnlyList<int> streams, int promptTokens, int tokens)
    {
        if ((long)promptTokens + tokens > model.Config.Context)
        {
            throw UserException.Usage($"bench streams: --prompt-tokens {promptTokens} and --tokens {tokens} are more than the context of {model.Config.Context}; name fewer");
        }

        List<double>[] seconds = [.. streams.Select(_ => new List<double>())];
        for (int round = 0; round <= Rounds; round++)
        {
            for (int i = 0; i < streams.Count; i++)
            {
                using var decoder = new BatchDecoder(model, streams[i]);
                double[] steps = Steps(decoder, model.Config.Vocab, promptTokens, tokens);
                if (round > 0)
                {
                    seconds[i].AddRange(steps);
                }
            }
        }

        return [.. streams.Select((count, i) => new StreamBenchmark(count, count / SampleStatistics.Median(seconds[i])))];
    }

    private static double[] Steps(BatchDecoder decoder, int vocab, int promptTokens, int tokens)
    {
        var random = new Random(1);
        var logits = new float[vocab];
        for (int row = 0; row < decoder.Rows; row++)
        {
            decoder.Begin(row, [.. Enumerable.Range(0, promptTokens).Select(_ => random.Next(vocab))]);
        }

        while (decoder.ReadChunk() > 0)
        {
        }

        while (decoder.Step() > 0)
        {
        }

        var seconds = new double[tokens];
        for (int i = 0; i < tokens; i++)
        {
            for (int row = 0; row < decoder.Rows; row++)
            {
                decoder.Append(row, random.Next(vocab));
            }

            long started = Stopwatch.GetTimestamp();
            decoder.Step();
            for (int row = 0; row < decoder.Rows; row++)
            {
                decoder.ReadLogits(row, logits);
            }

            seconds[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        return seconds;
    }
}
