using System.Text.Json.Nodes;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Modules;

/// <summary>Scaled rotary positions, bases and positions of single layers, biases by part and windows, held against models that the transformers library made.</summary>
public class PublishedAttentionTests : EngineTests
{
    private static IEnumerable<string> Scaled =>
    [
        "llama-rope-linear", "llama-rope-dynamic", "llama-rope-yarn", "llama-rope-yarn-explicit", "llama-rope-yarn-mscale", "llama-rope-llama3", "llama-rope-longrope",
        "phi3-longrope", "gemma3-text-linear",
    ];

    private static IEnumerable<string> Whole =>
    [
        .. Scaled.Where(name => !name.StartsWith("gemma", StringComparison.Ordinal)), "llama-bias", "mistral", "qwen2", "qwen2-sliding", "qwen3", "smollm3", "stablelm",
    ];

    [TestCaseSource(nameof(Scaled))]
    public void FrequenciesAreThoseOfTheLibrary(string name)
    {
        using var peer = new Peer(name);
        ModelConfig config = peer.Config;
        double[] expected = peer.Expected("rope.inv_freq");
        Assert.That(config.RopeScaling.Validate(new RopeAngles(config.RopeBase, 2 * expected.Length, config.Context), "model.ropeScaling"), Is.Empty);
        double[] made = config.RopeScaling.Frequencies(new RopeAngles(config.RopeBase, 2 * expected.Length, config.Context), peer.Time);
        Assert.That(made.Zip(expected, (a, b) => Math.Abs((a / b) - 1)).Max(), Is.LessThan(1e-6));
        Assert.That(config.RopeScaling.FactorOn, Is.EqualTo(peer.Expected("rope.attention_factor")[0]).Within(1e-6));
    }

    [TestCaseSource(nameof(Whole))]
    public void LogitsAndGradientsAreThoseOfTheLibrary(string name)
    {
        using var peer = new Peer(name);
        using Transformer model = peer.Load(Backend());
        (double[] logits, double loss) = peer.Train(model);
        Numbers.AssertClose(logits, peer.Expected("logits"), 2e-5, "logits");
        Assert.That(loss, Is.EqualTo(peer.Expected("loss")[0]).Within(1e-5));
        foreach (IGrouping<string, double> stored in model.Store.Parameters.GroupBy(p => peer.Source(p.Name).Name, p => Host.Gradient(model.Store, p).Sum(g => g * g)))
        {
            double expected = peer.Expected($"gradnorm.{stored.Key}")[0];
            Assert.That(Math.Sqrt(stored.Sum()), Is.EqualTo(expected).Within((1e-4 * expected) + 1e-6), stored.Key);
        }
    }

    /// <summary>Through the cache; where the length of a text changes frequencies, keys stay turned as they were.</summary>
    [TestCaseSource(nameof(Whole))]
    public void GreedyTextIsThatOfTheLibrary(string name)
    {
        using var peer = new Peer(name);
        if (name == "phi3-longrope")
        {
            Assert.Ignore("the library's own cache is faulty there");
        }

        using Transformer model = peer.Load(Backend());
        using var decoder = new Decoder(model, 1);
        int[] tokens = Array.ConvertAll(peer.Expected("greedy"), t => (int)t);
        double[] expected = peer.Expected("greedy_logits");
        decoder.Begin(0, tokens.AsSpan(0, 8));
        for (int step = 0; step < 16; step++)
        {
            while (!decoder.HasLogits(0))
            {
                decoder.Run();
            }

            var logits = new float[model.Config.Vocab];
            decoder.ReadLogits(0, logits);
            Numbers.AssertClose(Array.ConvertAll(logits, l => (double)l), expected[(step * logits.Length)..((step + 1) * logits.Length)], 2e-5, $"step {step}");
            Assert.That(Array.IndexOf(logits, logits.Max()), Is.EqualTo(tokens[8 + step]), $"step {step}");
            decoder.Append(0, tokens[8 + step]);
        }
    }

    /// <summary>A prompt longer than the texts of training, read in several chunks, is one text: all its tokens are turned alike.</summary>
    [TestCase("llama-rope-dynamic")]
    [TestCase("llama-rope-longrope")]
    public void APromptIsOneText(string name)
    {
        using var peer = new Peer(name);
        using Transformer model = peer.Load(Backend());
        using var decoder = new Decoder(model, 1);
        decoder.Begin(0, Array.ConvertAll(peer.Expected("tokens")[..peer.Time], t => (int)t));
        Assert.That(decoder.ChunkSizes, Has.Some.LessThan(peer.Time));
        while (!decoder.HasLogits(0))
        {
            decoder.Run();
        }

        var logits = new float[model.Config.Vocab];
        decoder.ReadLogits(0, logits);
        Numbers.AssertClose(Array.ConvertAll(logits, l => (double)l), peer.Expected("logits")[((peer.Time - 1) * logits.Length)..(peer.Time * logits.Length)], 2e-5, "the last place");
    }

    private sealed class Peer : IDisposable
    {
        private readonly SafeTensorsFile _weights, _expected;
        private readonly JsonObject _config;

        public Peer(string name)
        {
            string folder = SharedData.Path($"peers/models/{name}");
            _weights = SafeTensorsFile.Open(Path.Combine(folder, "model.safetensors"));
            _expected = SafeTensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
            _config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
            Time = (int)_expected["tokens"].Shape[1];
        }

        public int Time { get; }

        public ModelConfig Config
        {
            get
            {
                string type = _config["model_type"]!.GetValue<string>();
                int heads = Int("num_attention_heads"), layers = Int("num_hidden_layers"), headDim = Int("head_dim", Int("hidden_size") / heads);
                var own = new AttentionConfig { RopeDim = (int)(headDim * Real("partial_rotary_factor", 1)) };
                BlockConfig Block(int layer) => new()
                {
                    Mixer = Window(layer) is int window and > 0
                        ? new SlidingWindowConfig { Window = window, Sinks = 0, RopeDim = own.RopeDim }
                        : own with { Rope = _config["no_rope_layers"] is JsonArray turned ? turned[layer]!.GetValue<int>() == 1 : null },
                };
                return new ModelConfig
                {
                    Layers = layers,
                    Width = Int("hidden_size"),
                    Heads = heads,
                    KvHeads = Int("num_key_value_heads"),
                    HeadDim = headDim,
                    Hidden = Int("intermediate_size"),
                    Vocab = Int("vocab_size"),
                    Context = 48,
                    Norm = type == "stablelm" ? NormKind.Layer : NormKind.Rms,
                    NormEpsilon = Real("rms_norm_eps", Real("layer_norm_eps", 1e-5)),
                    RopeBase = Real("rope_theta", 10000),
                    RopeScaling = Scaling(),
                    QkNorm = type == "qwen3",
                    Tied = Flag("tie_word_embeddings") ?? type == "smollm3",
                    Bias = Flag("mlp_bias") ?? false,
                    QkvBias = type == "qwen2" || (Flag("attention_bias") ?? Flag("use_qkv_bias") ?? false),
                    OutputBias = Flag("attention_bias") ?? false,
                    Pattern = [.. Enumerable.Range(0, layers).Select(Block)],
                };
            }
        }

        public double[] Expected(string tensor) => SharedData.Reals(_expected, tensor);

        /// <summary>The tensor that holds one of ours, and which part of its rows.</summary>
        public (string Name, int Start, int Rows) Source(string name)
        {
            string[] joined = name.Contains("mlp") ? ["gate_proj", "up_proj"] : ["q_proj", "k_proj", "v_proj"];
            int part = Array.FindIndex(joined, name.Contains);
            string whole = part < 0 ? name : name.Replace(joined[part], joined.Length == 2 ? "gate_up_proj" : "qkv_proj");
            if (_weights.Find(name) is not null || part < 0)
            {
                return (name, 0, (int)_weights[name].Shape[0]);
            }

            int keys = Config.KvHeads * Config.HeadDim;
            int[] rows = joined.Length == 2 ? [Config.Hidden, Config.Hidden] : [Config.Heads * Config.HeadDim, keys, keys];
            return (whole, rows[..part].Sum(), rows[part]);
        }

        public Transformer Load(Backend backend)
        {
            var model = new Transformer(Config, backend, source: null, trains: null);
            foreach (Parameter parameter in model.Store.Parameters)
            {
                (string name, int start, int rows) = Source(parameter.Name);
                int width = (int)parameter.Layout.Count / rows;
                Host.Write(model.Store, parameter, SharedData.Reals(_weights, name)[(start * width)..((start + rows) * width)]);
            }

            return model;
        }

        /// <summary>Logits, the loss of the next token, and gradients, which the store then has.</summary>
        public (double[] Logits, double Loss) Train(Transformer model)
        {
            List<IDisposable> owned = [];
            int[] tokens = Array.ConvertAll(Expected("tokens"), t => (int)t);
            int[] targets = [.. tokens.Select((_, i) => i % Time == Time - 1 ? -1 : tokens[i + 1])];
            StepState state = model.Backend.NewState();
            owned.Add(state);
            state.Set(StepSlot.TargetCount, (long)targets.Count(t => t >= 0));
            state.Set(StepSlot.LossScale, 1.0);
            var tape = new Tape(model.Backend, training: true) { State = state };
            Tensor Of(string name, int[] values) => tape.External(name, Host.New(model.Backend, [tokens.Length / Time, Time], values, owned));
            Tensor body = model.RecordBody(tape, Of("tokens", tokens)), logits = model.Language.Logits(tape, body), loss = model.Language.Loss(tape, body, Of("targets", targets)).Loss;
            tape.Keep(logits);
            var plan = new Plan(tape);
            using DeviceBuffer arena = model.Backend.Allocate(plan.ArenaBytes);
            plan.Bind(arena);
            model.Backend.Fill(model.Store.AllGradients, 0);
            plan.Run();
            (double[], double) result = (Host.Read(model.Backend, plan[logits]), Host.Read(model.Backend, plan[loss])[0]);
            owned.ForEach(o => o.Dispose());
            return result;
        }

        public void Dispose()
        {
            _weights.Dispose();
            _expected.Dispose();
        }

        private int Window(int layer) => _config["sliding_window"] is JsonValue window && (_config["layer_types"] is not JsonArray types || types[layer]!.GetValue<string>() == "sliding_attention")
            ? window.GetValue<int>()
            : 0;

        private RopeScalingConfig Scaling()
        {
            if (_config["rope_scaling"] is not JsonObject scaling)
            {
                return new NoRopeScalingConfig();
            }

            double Of(string name, double otherwise = 0) => scaling[name]?.GetValue<double>() ?? otherwise;
            double? factor = scaling["attention_factor"]?.GetValue<double>();
            double[] List(string name) => [.. scaling[name]!.AsArray().Select(v => v!.GetValue<double>())];
            int most = Int("max_position_embeddings"), original = scaling["original_max_position_embeddings"]?.GetValue<int>() ?? Int("original_max_position_embeddings", most);
            return (scaling["rope_type"] ?? scaling["type"])!.GetValue<string>() switch
            {
                "linear" => new LinearRopeConfig { Factor = Of("factor") },
                "dynamic" => new DynamicRopeConfig { Factor = Of("factor"), Original = most },
                "llama3" => new Llama3RopeConfig { Factor = Of("factor"), Original = original, LowFreqFactor = Of("low_freq_factor"), HighFreqFactor = Of("high_freq_factor") },
                "longrope" => new LongRopeConfig
                {
                    ShortFactor = List("short_factor"), LongFactor = List("long_factor"), Original = original, Factor = (double)most / original, AttentionFactor = factor,
                },
                _ => new YarnConfig
                {
                    Factor = Of("factor"), Original = original, BetaFast = Of("beta_fast", 32), BetaSlow = Of("beta_slow", 1), AttentionFactor = factor,
                    Truncate = scaling["truncate"]?.GetValue<bool>() ?? true, Mscale = Of("mscale"), MscaleAllDim = Of("mscale_all_dim"),
                },
            };
        }

        private int Int(string name, int otherwise = 0) => _config[name]?.GetValue<int>() ?? otherwise;

        private double Real(string name, double otherwise) => _config[name]?.GetValue<double>() ?? otherwise;

        private bool? Flag(string name) => _config[name]?.GetValue<bool>();
    }
}
