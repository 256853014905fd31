using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Taps;

/// <summary>Points, ablations, patches and gradients as TransformerLens has them, of every architecture that it was asked about.</summary>
[Category("Published")]
public class PublishedTapTests : EngineTests
{
    private const string Folder = "peers/taps";

    private const int Time = 9, Heads = 4;

    private static IEnumerable<string> Names => SharedData.Cases(Folder);

    [TestCaseSource(nameof(Names))]
    public void ValuesAreThoseOfTransformerLens(string name)
    {
        var agreement = new CaseAgreement("taps", name);
        using var model = new Peer(name, Backend());
        using SafeTensorsFile expected = model.Open("values.safetensors");
        int[] tokens = [.. SharedData.Reals(expected, "tokens").Select(t => (int)t)];
        var reader = new Collector("*");
        agreement.Close(model.Logits(tokens, [reader]), SharedData.Reals(expected, "logits"), 1e-5, "logits");
        int compared = 0;
        foreach (string[] hook in File.ReadLines(Path.Combine(model.Path, "hooks.tsv")).Skip(1).Select(line => line.Split('\t')).Where(hook => hook[3] == "default"))
        {
            (double[] values, string point) = (SharedData.Reals(expected, hook[0]), hook[0]);
            if (point is "hook_embed" && model.Config.Position == PositionKind.Learned)
            {
                // Here the sum of the two.
                values = [.. values.Zip(SharedData.Reals(expected, "hook_pos_embed"), (a, b) => a + b)];
            }
            else if (point.EndsWith("hook_normalized", StringComparison.Ordinal) && model.Config.Norm == NormKind.Rms)
            {
                // RMSNorm's is before its gain there, after it here.
                double[] gain = model.GainOf(point);
                values = [.. values.Select((v, i) => v * gain[i % gain.Length])];
            }
            else if (model.Config.QkNorm && (point.EndsWith("attn.hook_q", StringComparison.Ordinal) || point.EndsWith("attn.hook_k", StringComparison.Ordinal)))
            {
                // Before the norms of heads there, after them here: compared as q_norm and k_norm.
                continue;
            }

            agreement.Close([.. reader[point].Select(Finite)], [.. values.Select(Finite)], 1e-5, "points", point);
            compared++;
        }

        Assert.That(compared, Is.GreaterThan(35));
        agreement.Record();
    }

    [TestCaseSource(nameof(Names))]
    public void AblationsHaveTheirLosses(string name)
    {
        var agreement = new CaseAgreement("taps", name);
        using var model = new Peer(name, Backend());
        using SafeTensorsFile values = model.Open("values.safetensors"), expected = model.Open("patching.safetensors");
        int[] tokens = [.. SharedData.Reals(values, "tokens").Select(t => (int)t)];
        foreach (AblationKind mode in new[] { AblationKind.Zero, AblationKind.Mean })
        {
            string prefix = $"ablate.{mode.ToString().ToLowerInvariant()}.";
            double Loss(string point, TapPlaces? places) => Peer.Loss(model.Logits(tokens, [], [new AblateConfig { Points = point, Mode = mode, At = places }.MakeEditor(model.Tables)]), tokens);
            for (int layer = 0; layer < 2; layer++)
            {
                agreement.Near(Loss($"blocks.{layer}.hook_mlp_out", null), SharedData.Reals(expected, prefix + "mlp_out")[layer], 1e-5, "losses of ablations");
                agreement.Near(Loss($"blocks.{layer}.hook_attn_out", null), SharedData.Reals(expected, prefix + "attn_out")[layer], 1e-5, "losses of ablations");
                for (int head = 0; head < Heads; head++)
                {
                    agreement.Near(Loss($"blocks.{layer}.attn.hook_z", new TapPlaces { Heads = [head] }), SharedData.Reals(expected, prefix + "head_z")[(layer * Heads) + head], 1e-5, "losses of ablations");
                }
            }
        }

        agreement.Record();
    }

    /// <summary>Clean activations in a corrupted run: the exact change, and its first-order estimate by the gradient at the point.</summary>
    [TestCaseSource(nameof(Names))]
    public void PatchesAndGradientsAreThoseOfTransformerLens(string name)
    {
        var agreement = new CaseAgreement("taps", name);
        using var model = new Peer(name, Backend());
        using SafeTensorsFile expected = model.Open("patching.safetensors");
        int[] clean = [.. SharedData.Reals(expected, "patch.clean_tokens").Select(t => (int)t)], corrupted = [.. SharedData.Reals(expected, "patch.corrupted_tokens").Select(t => (int)t)];
        int[] answers = [.. SharedData.Reals(expected, "patch.answer_wrong").Select(t => (int)t)];
        Collector source = new("*"), own = new("*"), gradients = new("*.grad");
        _ = model.Logits(clean, [source]);
        model.Gradients(corrupted, answers, [own, gradients]);
        double Difference(double[] logits) => logits[(8 * 61) + answers[0]] - logits[(8 * 61) + answers[1]];
        for (int layer = 0; layer < 2; layer++)
        {
            foreach (string point in new[] { "hook_resid_pre", "hook_attn_out", "hook_mlp_out", "head_z" })
            {
                string full = point == "head_z" ? $"blocks.{layer}.attn.hook_z" : $"blocks.{layer}.{point}";
                int parts = point == "head_z" ? Heads : Time, width = source[full].Length / (point == "head_z" ? Heads * Time : Time);
                View view = model.Of(source[full], full);
                for (int part = 0; part < parts; part++)
                {
                    TapPlaces places = point == "head_z" ? new() { Heads = [part] } : new() { Positions = [part] };
                    double[] logits = model.Logits(corrupted, [], [new Patch(full, view).At(places)]);
                    agreement.Near(Difference(logits), Of("patch.denoising", "logit_diff"), 2e-5, "patched differences of logits", $"{full} {part}");
                    agreement.Near(Peer.Loss(logits, corrupted), Of("patch.denoising", "loss"), 1e-5, "patched losses", $"{full} {part}");

                    int[] elements = [.. Enumerable.Range(0, source[full].Length).Where(i => i / width % (point == "head_z" ? Heads : Time) == part)];
                    double estimate = elements.Sum(i => gradients[full + ".grad"][i] * (source[full][i] - own[full][i]));
                    agreement.Near(estimate, Of("attribution.denoising", null), 1e-4, "attributions", $"{full} {part}: gradient");

                    double Of(string kind, string? figure) => SharedData.Reals(expected, $"{kind}.{point}{(figure is null ? "" : $".{figure}")}")[(layer * parts) + part];
                }
            }
        }

        agreement.Record();
    }

    private static double Finite(double v) => double.IsNegativeInfinity(v) ? -1e3 : v;

    private sealed class Peer : IDisposable
    {
        private readonly Transformer _model;
        private readonly List<IDisposable> _owned = [];

        public Peer(string name, Backend backend)
        {
            Path = System.IO.Path.Combine(SharedData.Path(Folder), name);
            using ForeignModel foreign = ForeignModel.TryOpen(Path)!;
            _model = new Transformer(foreign.Config, backend, source: null, trains: null);
            Tables = new TableStore(backend, DType.Float32);
            _owned.AddRange([_model, Tables]);
            foreach (Parameter parameter in _model.Store.Parameters)
            {
                var values = new float[parameter.Layout.Count];
                foreign.Weights.Read(parameter.Name, values);
                Host.Write(_model.Store, parameter, Array.ConvertAll(values, v => (double)v));
            }
        }

        public string Path { get; }

        public ModelConfig Config => _model.Config;

        public TableStore Tables { get; }

        public SafeTensorsFile Open(string file) => SafeTensorsFile.Open(System.IO.Path.Combine(Path, file));

        public View Of(double[] values, string point) => Host.New(_model.Backend, DType.Float32,
            point.EndsWith("hook_z", StringComparison.Ordinal) ? [1, Time, Heads, values.Length / Time / Heads] : [1, Time, values.Length / Time], values, _owned);

        public double[] GainOf(string point)
        {
            string layer = point.StartsWith("blocks.", StringComparison.Ordinal) ? $"model.layers.{point.Split('.')[1]}." : "model.";
            string norm = point.Contains("ln1") ? "input_layernorm" : point.Contains("ln2") ? "post_attention_layernorm" : point.Contains(".q_norm.") ? "self_attn.q_norm" : point.Contains(".k_norm.") ? "self_attn.k_norm" : "norm";
            return Host.Read(_model.Store, _model.Store[$"{layer}{norm}.weight"]);
        }

        public double[] Logits(int[] tokens, IEnumerable<ITapReader> readers, IEnumerable<ITapEditor>? editors = null)
        {
            var tape = new Tape(_model.Backend, taps: new TapSet(readers, editors));
            Tensor logits = _model.RecordLogits(tape, Tokens(tape, tokens));
            tape.Keep(logits);
            return Host.Read(_model.Backend, Run(tape)[logits]);
        }

        /// <summary>Runs the backward pass of the logit of the first answer less that of the second, at the last place.</summary>
        public void Gradients(int[] tokens, int[] answers, IEnumerable<ITapReader> readers)
        {
            var tape = new Tape(_model.Backend, training: true, taps: new TapSet(readers));
            Tensor logits = _model.RecordLogits(tape, Tokens(tape, tokens));
            double[] signs = [.. Enumerable.Range(0, 61).Select(v => v == answers[0] ? 1.0 : v == answers[1] ? -1 : 0)];
            Tensor last = BroadcastOp.Contiguous(tape, logits.Slice(1, Time - 1, 1));
            tape.AddLoss(LinearOp.Record(tape, last, tape.External("signs", Host.New(_model.Backend, DType.Float32, [1, 61], signs, _owned))));
            _ = Run(tape);
        }

        public static double Loss(double[] logits, int[] tokens) => Enumerable.Range(0, tokens.Length).Where(i => i % Time < Time - 1).Average(i =>
        {
            double[] row = logits[(i * 61)..((i + 1) * 61)];
            double most = row.Max();
            return most + Math.Log(row.Sum(v => Math.Exp(v - most))) - row[tokens[i + 1]];
        });

        public void Dispose() => _owned.ForEach(o => o.Dispose());

        private Tensor Tokens(Tape tape, int[] tokens) => tape.External("tokens", Host.New(_model.Backend, [tokens.Length / Time, Time], tokens, _owned));

        private Plan Run(Tape tape)
        {
            var plan = new Plan(tape);
            DeviceBuffer arena = _model.Backend.Allocate(plan.ArenaBytes);
            _owned.Add(arena);
            plan.Bind(arena);
            plan.Run();
            return plan;
        }
    }
}
