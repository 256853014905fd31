using System.Diagnostics;
using System.Globalization;
using LLama;
using LLama.Common;
using LLama.Native;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests;
using NanoFold.Tests.Cli;

namespace NanoFold.Judges;

/// <summary>
/// Writing and reading beside llama.cpp on the same files, one thread each, in turns: milliseconds of processor time, so that other programs on the machine count for neither. Run by name:
/// <c>dotnet test -c Release tests/NanoFold.Judges --filter "Name=RatesBesideLlamaCpp" -- NUnit.DefaultTestNamePattern="{m}"</c>; NANOFOLD_SPEED_MODEL names another GGUF file.
/// </summary>
[NonParallelizable]
[Explicit("measures")]
public class LlamaCppSpeedTests
{
    private const string SmolLm2 = "peers/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    private const int Rounds = 5, Prompt = 512, Written = 24, Context = 640;

    private interface IPeer : IDisposable
    {
        /// <summary>Reads tokens after those that were read before; the logits of the last are there then.</summary>
        void Read(ReadOnlySpan<int> tokens);

        void Begin();
    }

    [Test]
    public void RatesBesideLlamaCpp()
    {
        NativeLogConfig.llama_log_set((_, _) => { });
        using var folder = new TemporaryFolder();
        string file = Environment.GetEnvironmentVariable("NANOFOLD_SPEED_MODEL") is { Length: > 0 } named ? named : SharedData.Path(SmolLm2);
        List<(string Name, string Path)> files = [(System.IO.Path.GetFileName(file), file)];
        foreach (string type in new[] { "q8_0", "bf16", "f16", "f32" })
        {
            CommandLine.Json("export", "--model", file, "--format", "gguf", "--type", type, "--out", folder[$"{type}.gguf"]);
            files.Add((type, folder[$"{type}.gguf"]));
        }

        TestContext.Out.WriteLine(FormattableString.Invariant($"ms of processor time a token: least of {Rounds} rounds; prompt of {Prompt}, then {Written} tokens written at {Prompt}, and at 0"));
        TestContext.Out.WriteLine($"{"file",-40} {"load",18} {"written at 0",22} {"written at 512",22} {"prompt",22}");
        foreach ((string name, string path) in files)
        {
            double[] ours = Unknown(), rounded = Unknown(), theirs = Unknown();
            for (int round = 0; round < Rounds; round++)
            {
                Measure(() => new Own(path, rounds: false), ours);
                Measure(() => new Own(path, rounds: true), rounded);
                Measure(() => new LlamaCpp(path), theirs);
            }

            Row(name, ours);
            Row("  rounded as there", rounded);

            void Row(string of, double[] least)
            {
                string Cell(int i) => string.Create(CultureInfo.InvariantCulture, $"{least[i],7:0.00} / {theirs[i],7:0.00} {theirs[i] / least[i],4:0.00}x");
                TestContext.Out.WriteLine($"{of,-40} {Cell(0),18} {Cell(1),22} {Cell(2),22} {Cell(3),22}");
            }
        }
    }

    private static double[] Unknown() => [.. Enumerable.Repeat(double.PositiveInfinity, 4)];

    private static void Measure(Func<IPeer> open, double[] least)
    {
        void Take(int i, double count, Action action)
        {
            TimeSpan before = Cpu;
            action();
            least[i] = Math.Min(least[i], (Cpu - before).TotalMilliseconds / count);
        }

        IPeer? peer = null;
        Take(0, 1, () => peer = open());
        using (peer)
        {
            int[] text = [.. Enumerable.Range(0, Prompt).Select(i => 1000 + (i * 37 % 4000))];
            peer!.Begin();
            peer.Read(text.AsSpan(0, 1));
            Take(1, Written, () => One(Written));
            peer.Begin();
            Take(3, Prompt, () => peer.Read(text));
            Take(2, Written, () => One(Written));

            void One(int count)
            {
                for (int i = 0; i < count; i++)
                {
                    peer.Read(text.AsSpan(i, 1));
                }
            }
        }
    }

    private static TimeSpan Cpu
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return process.TotalProcessorTime;
        }
    }

    private sealed class Own : IPeer
    {
        private readonly CpuBackend _backend = new(1);
        private readonly TrainedModel _model;
        private readonly Decoder _decoder;
        private readonly float[] _logits;

        /// <param name="path">Of the model.</param>
        /// <param name="rounds">Whether activations are rounded to 8 bits where weights are blocks, and keys and values kept in half precision, as llama.cpp does.</param>
        public Own(string path, bool rounds)
        {
            _backend.RoundsActivations = rounds;
            _backend.CacheType = rounds ? DType.Float16 : DType.Float32;
            _model = TrainedModel.Load(path, _backend, storage: WeightStorage.AsStored);
            _decoder = new Decoder(_model.Model, 1);
            _logits = new float[_model.Config.Model.Vocab];
        }

        public void Begin() => _decoder.End(0);

        public void Read(ReadOnlySpan<int> tokens)
        {
            if (tokens.Length > 1)
            {
                _decoder.Begin(0, tokens);
            }
            else
            {
                _decoder.Append(0, tokens[0]);
            }

            while (!_decoder.HasLogits(0))
            {
                _decoder.Run();
            }

            _decoder.ReadLogits(0, _logits);
        }

        public void Dispose()
        {
            _decoder.Dispose();
            _model.Dispose();
            _backend.Dispose();
        }
    }

    private sealed class LlamaCpp : IPeer
    {
        private readonly LLamaWeights _weights;
        private readonly LLamaContext _context;
        private int _place;

        public LlamaCpp(string path)
        {
            var options = new ModelParams(path) { ContextSize = Context, GpuLayerCount = 0, Threads = 1, BatchThreads = 1, FlashAttention = false };
            _weights = LLamaWeights.LoadFromFile(options);
            _context = _weights.CreateContext(options);
        }

        public void Begin()
        {
            _context.NativeHandle.MemoryClear();
            _place = 0;
        }

        public void Read(ReadOnlySpan<int> tokens)
        {
            var batch = new LLamaBatch();
            for (int i = 0; i < tokens.Length; i++)
            {
                batch.Add(tokens[i], _place++, LLamaSeqId.Zero, i == tokens.Length - 1);
            }

            Assert.That(_context.Decode(batch), Is.EqualTo(DecodeResult.Ok));
            _ = _context.NativeHandle.GetLogitsIth(tokens.Length - 1)[0];
        }

        public void Dispose()
        {
            _context.Dispose();
            _weights.Dispose();
        }
    }
}
