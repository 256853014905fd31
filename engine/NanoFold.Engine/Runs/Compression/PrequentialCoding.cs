using System.Diagnostics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// The prequential code (A. P. Dawid, 1984): a model that knows nothing codes some bytes, is trained on what is coded, codes the next. Whoever decompresses has the same bytes at the same time and
/// trains the same model, so that nothing describes it but its settings.
/// </summary>
internal static class PrequentialCoding
{
    private const int UsualLanes = 16, LeastLaneBytes = 1 << 10;

    // What stands before a text.
    private const int First = '\n';

    /// <summary>How many parts a text is cut into where nothing else is asked for.</summary>
    public static int LanesFor(int size) => Math.Clamp(size / LeastLaneBytes, 1, UsualLanes);

    public static CompressionResult Compress(PrequentialSettings settings, ReadOnlySpan<byte> text, CompressionOptions options, Backend backend, Stream target, CancellationToken cancel)
    {
        int count = Math.Clamp(options.Lanes ?? LanesFor(text.Length), 1, text.Length);
        var lanes = new List<Lane>();
        var symbols = new List<List<int>>();
        foreach (int length in Lane.Cut(text, count))
        {
            int begin = lanes.Count == 0 ? 0 : lanes[^1].Begin + lanes[^1].Length;
            lanes.Add(new Lane(begin, length, before: 0));
            symbols.Add([.. text.Slice(begin, length).ToArray().Select(value => (int)value)]);
        }

        long began = Stopwatch.GetTimestamp();
        using var learner = new Learner(settings.Config(), settings.Passes, lanes, backend);
        var header = new PackedHeader
        {
            Size = text.Length,
            IsPortable = options.IsPortable,
            Settings = settings.ToText(),
            Path = NumericPath.Code(options.IsPortable),
            Fingerprint = learner.Walk.Fingerprint,
            Lanes = lanes,
        };
        target.Write(header.ToBytes());
        var encoder = new LaneEncoder(lanes, PrequentialSettings.Bytes, symbols, (coded, sum, isLast) => PackedFile.WriteBlock(target, coded, sum, isLast)) { Curve = new BitCurve(text.Length, isInOrderOfCoding: true) };
        learner.Run(encoder, options.Told(encoder, text.Length), cancel);
        return CompressionResult.Of(encoder, header, began) with { Steps = learner.Steps };
    }

    public static CompressionResult Decompress(PackedFile file, string name, Stream target, CompressionOptions options, Backend backend, CancellationToken cancel)
    {
        PackedHeader header = file.Header;
        long began = Stopwatch.GetTimestamp();
        (RunConfig config, double passes) = Read(header.Settings!, name);
        using var learner = new Learner(config, passes, header.Lanes, backend);
        ModelCoding.RequirePath(header, learner.Walk, name);
        var decoder = new LaneDecoder(header.Lanes, PrequentialSettings.Bytes, file.Blocks, name);
        learner.Run(decoder, options.Told(decoder, header.Size), cancel);
        decoder.WriteTo(target);
        return CompressionResult.Of(decoder, header, began) with { Steps = learner.Steps };
    }

    // Another version of this program may know other settings.
    private static (RunConfig Config, double Passes) Read(string text, string name)
    {
        PrequentialSettings settings = PrequentialSettings.Parse(text, name);
        try
        {
            return (settings.Config(), settings.Passes);
        }
        catch (UserException e)
        {
            throw new UserException($"{name}: the model that learned while it was compressed is none here: {e.Message}; decompress with the version of the program that compressed it", e);
        }
    }

    /// <summary>A model that codes and is trained by turns.</summary>
    private sealed class Learner : IDisposable
    {
        private readonly Transformer _model;
        private readonly OnlineText _text;
        private readonly Trainer _trainer;
        private readonly PrequentialPlan _plan;
        private readonly int _micro;
        private readonly int _context;

        public Learner(RunConfig config, double passes, IReadOnlyList<Lane> lanes, Backend backend)
        {
            TrainConfig train = config.Train with { Batch = Math.Max(1, config.Train.Batch) };
            _context = config.Model.Context;
            _micro = train.Accumulate;
            _plan = new PrequentialPlan([.. lanes.Select(lane => lane.Length)], _context, (long)train.Batch * train.Accumulate * _context, passes);
            train = (train with { Minutes = 0, Tokens = 0, Flops = 0 }).Planned(config.Preset, _plan.AllSteps());
            _text = new OnlineText(lanes.Count, First, PrequentialSettings.Bytes.Vocab, (ulong)train.Seed);
            _model = new Transformer(config.Model, backend, new SeedSource((ulong)train.Seed), train.Trains);
            _trainer = new Trainer(_model, train, _text);
            Walk = new LaneWalk(_model, PrequentialSettings.Bytes, lanes.Count);
        }

        public LaneWalk Walk { get; }

        /// <summary>Taken so far.</summary>
        public long Steps { get; private set; }

        public void Run(LaneCoder coder, Action<int, int>? told, CancellationToken cancel)
        {
            for (long round = 0; ; round++)
            {
                int most = _plan.Tokens(round);
                Walk.Run(coder, lane => _text[lane][Math.Max(0, _text[lane].Length - Math.Max(1, _context - most))..], most, (lane, token) =>
                {
                    _text.Add(lane, token);
                    told?.Invoke(lane, token);
                }, cancel);
                if (coder.Lanes.All(lane => lane.IsComplete))
                {
                    return;
                }

                for (long left = _plan.Steps(coder.Bytes, Steps); left > 0; left--)
                {
                    cancel.ThrowIfCancellationRequested();
                    Step();
                }
            }
        }

        public void Dispose()
        {
            Walk?.Dispose();
            _trainer.Dispose();
            _model.Dispose();
            _text.Dispose();
        }

        // Not one batch ahead, as in training: what was just coded is among what is drawn.
        private void Step()
        {
            _trainer.Begin(Steps++);
            for (int i = 0; i < _micro; i++)
            {
                _trainer.Accumulate(i);
            }

            _trainer.Update();
        }
    }
}
