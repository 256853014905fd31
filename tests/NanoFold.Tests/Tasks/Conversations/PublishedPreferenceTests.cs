using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Tasks.Conversations;

/// <summary>Losses, rewards and gradients on pairs and on packed conversations beside those of trl and of its formulas.</summary>
[Category("Published")]
public class PublishedPreferenceTests : EngineTests
{
    private const string Folder = "peers/preference", Pairs = "preference.safetensors", Packed = "sft.safetensors";

    /// <summary>What no setting asks for, by the beginning of its name, and why.</summary>
    private static readonly Dictionary<string, string> s_notHere = new()
    {
        ["kl_k1"] = "an estimate of a divergence that is computed exactly here", ["kl_k2"] = "an estimate of a divergence that is computed exactly here", ["kl_k3"] = "an estimate of a divergence that is computed exactly here",
        ["entropy_policy_per_position"] = "no loss has it", ["smooth"] = "no label smoothing of tokens", ["zloss."] = "no z-loss of a language head",
    };

    private static IEnumerable<TestCaseData> Losses =>
    [
        new("dpo", new PreferenceConfig(), 1e-5), new("hinge", new PreferenceConfig { Loss = PreferenceLoss.Hinge }, 1e-5),
        new("cdpo_eps0.1", new PreferenceConfig { LabelSmoothing = 0.1 }, 1e-5),
        new("ipo_sum", new PreferenceConfig { Loss = PreferenceLoss.Ipo }, 1e-3), new("ipo_tokenavg", new PreferenceConfig { Loss = PreferenceLoss.Ipo, PerToken = true }, 1e-3),
    ];

    [TestCaseSource(nameof(Losses))]
    public void PairsCostWhatIsPublished(string name, PreferenceConfig config, double tolerance)
    {
        var agreement = new CaseAgreement("preference", name);
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"{Folder}/{Pairs}"));
        using Transformer policy = Load("policy"), reference = Load("reference");
        var task = new PublishedPairs(file, config, policy.Config);
        PreferenceReference.Compute(reference, task, [task.Own], default, default);
        double[] length = [.. Enumerable.Range(0, 12).Select(i => config.PerToken ? task.LengthOf(i) : 1.0)];
        double[] published = Doubles(file, "reference_logps");
        for (int pair = 0; pair < 6; pair++)
        {
            agreement.Near(task.Own.Reference[2 * pair] * length[pair], -published[pair], 2e-4, "log-probabilities of the reference");
            agreement.Near(task.Own.Reference[(2 * pair) + 1] * length[6 + pair], -published[6 + pair], 2e-4, "log-probabilities of the reference");
        }

        // All pairs are in one batch of rows.
        var batch = new BatchRows(task.Fields(policy.Config.Context), task.Own.Rows.Count);
        batch.Fill((int row, in BatchRow into) => PreferenceTask.Fill(task.Own, row, into));
        using var buffers = new BatchBuffers(Backend(), batch.Fields, batch.Rows, DType.Float32);
        buffers.Upload(batch);
        var tape = new Tape(Backend(), training: true);
        tape.State.Set(StepSlot.TargetCount, 6L);
        TaskLoss recorded = task.RecordLoss(tape, policy, buffers.On(tape));
        foreach (Tensor tensor in recorded.Scored.Append(recorded.Loss))
        {
            tape.Keep(tensor);
        }

        Backend().Fill(policy.Store.AllGradients, 0);
        using var plan = new Plan(tape);
        using DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();

        double[] rows = new double[6], chosen = new double[6], rejected = new double[6];
        double[] losses = Host.Read(Backend(), plan[recorded.Scored[0]]), rewards = Host.Read(Backend(), plan[recorded.Scored[1]]);
        int most = losses.Length / batch.Rows;
        for (int row = 0; row < batch.Rows; row++)
        {
            foreach ((int at, int pair) in task.Own.Rows[row].ToArray().Index())
            {
                (rows[pair], chosen[pair], rejected[pair]) = (losses[(row * most) + at], rewards[2 * ((row * most) + at)], rewards[(2 * ((row * most) + at)) + 1]);
            }
        }

        string key = name.StartsWith("ipo_", StringComparison.Ordinal) ? $"ipo_loss_rows_{name[4..]}" : $"{name}_loss_rows";
        AssertNear(agreement, rows, Doubles(file, key), tolerance, "losses");
        Assert.That(Host.Read(Backend(), plan[recorded.Loss])[0], Is.EqualTo(rows.Average()).Within(tolerance));
        Assert.That(tape.State.GetDouble(tape.LossTerms.Single(term => term.Key == "pairAccuracy").Slot), Is.EqualTo(Doubles(file, "accuracy")[0]).Within(config.PerToken ? 1 : 1e-6));
        if (!config.PerToken)
        {
            AssertNear(agreement, chosen, Doubles(file, "rewards_chosen"), 2e-5, "rewards");
            AssertNear(agreement, rejected, Doubles(file, "rewards_rejected"), 2e-5, "rewards");
            AssertNear(agreement, [.. chosen.Zip(rejected, (a, b) => a - b)], Doubles(file, "margins"), 2e-5, "margins");
            Assert.That(tape.State.GetDouble(tape.LossTerms.Single(term => term.Key == "margin").Slot), Is.EqualTo(Doubles(file, "margins").Average()).Within(2e-5));
        }

        string[] gradients = [.. file.Tensors.Select(tensor => tensor.Name).Where(tensor => tensor.StartsWith($"grad_{name}.", StringComparison.Ordinal))];
        Assert.That(gradients, name is "dpo" or "ipo_tokenavg" ? Has.Length.EqualTo(4) : Is.Empty);
        foreach (string gradient in gradients)
        {
            agreement.Close(Host.Gradient(policy.Store, policy.Store[gradient[(name.Length + 6)..]]), SharedData.Reals(file, gradient), 1e-4, "gradients, relative", gradient);
        }

        agreement.Record();
    }

    [TestCase("policy", "", TestName = "PackedConversationsCostWhatTheyDoByThemselves")]
    [TestCase("policy_gpt2", "gpt2.", TestName = "LearnedPositionsBeginAnewInEachConversation")]
    public void PackedConversations(string name, string prefix)
    {
        var agreement = new CaseAgreement("preference", prefix.Length == 0 ? "packed conversations" : "packed conversations, learned positions");
        using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"{Folder}/{Packed}"));
        using Transformer model = Load(name);
        var task = new PublishedRow(file, model.Config);
        int time = (int)file["packed.input_ids"].Count;
        var batch = new BatchRows(task.Fields(time), 1);
        batch.Fill(task, TaskSplit.Validation, 0, 1, 1);
        using var buffers = new BatchBuffers(Backend(), batch.Fields, 1, DType.Float32);
        buffers.Upload(batch);
        var tape = new Tape(Backend(), training: true);
        tape.State.Set(StepSlot.TargetCount, (long)batch.Targets);
        TaskLoss recorded = task.RecordLoss(tape, model, buffers.On(tape));
        tape.Keep(recorded.Scored[0]);
        Backend().Fill(model.Store.AllGradients, 0);
        using var plan = new Plan(tape);
        using DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        string summary = File.ReadAllText(SharedData.Path($"{Folder}/summary.json"));
        double expected = prefix.Length == 0 ? SharedData.Reals(file, "packed.loss")[0] : (double)System.Text.Json.Nodes.JsonNode.Parse(summary)!["sft"]!["gpt2_packed"]!;
        agreement.Near(Host.Read(Backend(), plan[recorded.Loss])[0], expected, 1e-5, "loss");
        if (prefix.Length > 0)
        {
            agreement.Record();
            return;
        }

        // Theirs stand at the token that is predicted.
        double[] losses = SharedData.Reals(file, "packed.token_losses");
        AssertNear(agreement, Host.Read(Backend(), plan[recorded.Scored[0]])[..^1], losses[1..], 2e-5, "token losses");
        foreach (string gradient in file.Tensors.Select(tensor => tensor.Name).Where(tensor => tensor.StartsWith("grad_sft.", StringComparison.Ordinal)))
        {
            agreement.Close(Host.Gradient(model.Store, model.Store[gradient["grad_sft.".Length..]]), SharedData.Reals(file, gradient), 1e-4, "gradients, relative", gradient);
        }

        agreement.Record();
    }

    [Test]
    public void EveryFigureIsKnown()
    {
        string[] read =
        [
            "attention_mask", "completion_mask", "input_ids", "accuracy", "dpo_loss", "hinge_loss", "cdpo_eps0.1_loss", "ipo_loss", "kl_policy_reference", "kl_reference_policy", "margins", "policy_logps",
            "policy_token_logps", "reference_logps", "reference_token_logps", "rewards_", "grad_", "conv0.", "conv1.", "conv2.", "packed.", "separate.",
        ];
        foreach (string name in new[] { Pairs, Packed })
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(SharedData.Path($"{Folder}/{name}"));
            Assert.That(file.Tensors.Select(tensor => tensor.Name).Where(tensor => !read.Concat(s_notHere.Keys).Any(known => tensor.StartsWith(known, StringComparison.Ordinal))), Is.Empty);
        }

        foreach ((string name, string reason) in s_notHere)
        {
            CaseAgreement.Refused("preference", name.TrimEnd('.'), reason);
        }
    }

    private Transformer Load(string name)
    {
        SavedModel saved = SavedModel.Open(SharedData.Path($"{Folder}/{name}"));
        var model = new Transformer(saved.Config.Model, Backend(), source: null, trains: null);
        saved.Values.Fill(model.Store);
        return model;
    }

    private static void AssertNear(CaseAgreement agreement, double[] actual, double[] expected, double tolerance, string what) =>
        agreement.Off(actual.Zip(expected, (a, e) => Math.Abs(a - e)).Max(), tolerance, what);

    private static double[] Doubles(SafeTensorsFile file, string name)
    {
        var values = new double[file[name].Count];
        file.Read(name, values.AsSpan());
        return values;
    }

    private static long[] Integers(SafeTensorsFile file, string name)
    {
        var values = new long[file[name].Count];
        file.Read(name, values.AsSpan());
        return values;
    }

    private sealed class PublishedPairs : PreferenceLearning
    {
        private readonly (int[] Ids, bool[] Counts)[] _rows;

        public PublishedPairs(SafeTensorsFile file, PreferenceConfig config, ModelConfig model)
            : base(config, model)
        {
            long[] ids = Integers(file, "input_ids"), there = Integers(file, "attention_mask"), counts = Integers(file, "completion_mask");
            int time = ids.Length / 12;
            _rows = [.. Enumerable.Range(0, 12).Select(row =>
            {
                int length = (int)there[(row * time)..((row + 1) * time)].Sum();
                return (ids[(row * time)..((row * time) + length)].Select(id => (int)id).ToArray(), counts[(row * time)..((row * time) + length)].Select(one => one == 1).ToArray());
            })];
            Own = EncodedPairs.Of(Enumerable.Range(0, 6).Select(i => (_rows[i], _rows[6 + i])), config.PerToken);
            Own.Lay(model.Context);
        }

        public EncodedPairs Own { get; }

        public override string Name => "published pairs";

        protected override int MostPairs => Own.Rows.Most;

        public int LengthOf(int row) => _rows[row].Counts.Count(one => one);

        public override long Places(TaskSplit split) => long.MaxValue;

        public override int Fill(in RowKey key, in BatchRow row) => PreferenceTask.Fill(Own, (int)key.Number, row);
    }

    private sealed class PublishedRow(SafeTensorsFile file, ModelConfig model) : LearningTask
    {
        public override string Name => "published row";

        public override IReadOnlyList<BatchField> Fields(int time) =>
            [.. BatchField.OfTokens(time), BatchField.OfDocuments(time), .. model.Position == Engine.Modules.PositionKind.Learned ? [BatchField.OfPositions(time)] : Array.Empty<BatchField>()];

        public override long Places(TaskSplit split) => long.MaxValue;

        public override int Fill(in RowKey key, in BatchRow row)
        {
            Copy("packed.input_ids", row.Integers(BatchField.Tokens), 0);
            Copy("packed.labels", row.Integers(BatchField.Targets), 1);
            Copy("packed.document_ids", row.Integers(BatchField.Documents), 0);
            Copy("packed.position_ids", row.Integers(BatchField.Positions), 0);
            int asked = 0;
            foreach (ref int target in row.Integers(BatchField.Targets))
            {
                target = Math.Max(-1, target);
                asked += target >= 0 ? 1 : 0;
            }

            return asked;
        }

        private void Copy(string name, Span<int> to, int shift)
        {
            long[] values = Integers(file, name);
            for (int i = 0; i + shift < values.Length && i < to.Length; i++)
            {
                to[i] = (int)values[i + shift];
            }
        }
    }
}
