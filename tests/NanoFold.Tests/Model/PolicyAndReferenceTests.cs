using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Model;

/// <summary>Two models in one recording: a policy that is trained, and a reference from which it should not drift.</summary>
public class PolicyAndReferenceTests : EngineTests
{
    private static readonly ModelConfig s_model = ModelVariants.Base with { FeedForward = MoeConfig.Tiny with { BalanceLoss = 0.01 }, Hidden = 0 };

    [TestCase(true, TestName = "GradientsOfKlFromPolicyToReferenceMatchFiniteDifferences")]
    [TestCase(false, TestName = "GradientsOfKlFromReferenceToPolicyMatchFiniteDifferences")]
    public void Gradients(bool policyFirst)
    {
        using var policy = new TinyModel(s_model with { Adapters = [LoraConfig.Tiny] }, Backend(), DType.Float64);
        using Transformer reference = Reference(policy);
        using var check = new GradCheck(policy.Store, tape => Record(tape, policy, reference, 0.6, policyFirst));
        foreach (GradientDifference difference in check.Run(elements: 2))
        {
            Assert.That(difference.Relative, Is.LessThan(1e-6), difference.ToString());
        }

        Assert.That(reference.Store.Count, Is.Zero);
        Assert.That(reference.Store.Bytes, Is.LessThan(1.01 * sizeof(double) * reference.Store.Elements + 1000), "a reference has no gradients");
    }

    [Test]
    public void AModelWithoutItsAdaptersIsAReferenceThatTakesNoMemory()
    {
        using var policy = new TinyModel(ModelVariants.Base with { Adapters = [LoraConfig.Tiny] }, Backend(), DType.Float64);
        using var check = new GradCheck(policy.Store, tape =>
        {
            tape.State.Set(StepSlot.TargetCount, (long)policy.Targets.Count(t => t >= 0));
            Tensor tokens = policy.Integers(tape, "tokens", policy.Tokens), targets = policy.Integers(tape, "targets", policy.Targets);
            Tensor x = policy.Model.Body.Forward(tape, tokens);
            (Tensor Stream, Tensor Weight) said;
            using (tape.AsReference(withoutAdapters: true))
            {
                said = policy.Model.Language.AsReference(tape, policy.Model.Body.Forward(tape, tokens));
            }

            Assert.That(tape.Stores, Has.Count.EqualTo(1));
            tape.AddLoss(LossTermOp.Record(tape, policy.Model.Language.Divergence(tape, x, said, targets), "klLoss", 0.6, perTarget: true));
        });
        GradientDifference[] differences = [.. check.Run(elements: 2)];
        Assert.That(differences, Has.Length.GreaterThan(8));
        foreach (GradientDifference difference in differences)
        {
            Assert.That(difference.Relative, Is.LessThan(1e-6), difference.ToString());
        }

        // The same divergence of logits that are there as a whole, of a model without adapters by itself.
        using var plain = new TinyModel(ModelVariants.Base, Backend(), DType.Float64);
        plain.Store.Fill(new StoreSource(policy.Store));
        var both = new Tape(Backend(), DType.Float64);
        Tensor ids = policy.Integers(both, "tokens", policy.Tokens), marks = policy.Integers(both, "targets", policy.Targets), stream = policy.Model.Body.Forward(both, ids);
        Tensor whole = KlDivergenceOp.Record(both, policy.Model.RecordLogits(both, ids), plain.Model.RecordLogits(both, ids), marks);
        (Tensor Stream, Tensor Weight) initial;
        using (both.AsReference(withoutAdapters: true))
        {
            initial = policy.Model.Language.AsReference(both, policy.Model.Body.Forward(both, ids));
        }

        Tensor chunked = policy.Model.Language.Divergence(both, stream, initial, marks);

        both.Keep(whole);
        both.Keep(chunked);
        var plan = new Plan(both);
        using DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        double[] nats = Host.Read(Backend(), plan[chunked]);
        Assert.That(nats.Zip(Host.Read(Backend(), plan[whole]), (a, e) => Math.Abs(a - e)).Max(), Is.LessThan(1e-12));
        Assert.That(nats.Max(), Is.GreaterThan(1e-4));
    }

    [Test]
    public void TheWeightChangesWithoutANewRecordingAndTheTermIsReported()
    {
        using var policy = new TinyModel(s_model, Backend());
        using Transformer reference = Reference(policy);
        Tape plain = policy.TrainingTape(), tape = new(policy.Model.Backend, training: true) { State = policy.State };
        Tensor rows = Record(tape, policy, reference, 0, policyFirst: true).Rows;
        tape.Keep(rows);
        var plan = new Plan(tape);
        Assert.That(tape.Stores, Is.EquivalentTo(new[] { policy.Store, reference.Store }));
        Assert.That(tape.LossTerms.Select(term => term.Key), Is.EqualTo(new[] { "balanceLoss", "zLoss", "klLoss" }), "of the reference there are none");
        StepSlot weight = tape.State.Add("kl weight"), term = tape.LossTerms[^1].Slot;

        double[] without = policy.Train(new Plan(plain)).Gradients;
        tape.State.ClearLosses();
        Numbers.AssertClose(policy.Train(plan).Gradients, without, 1e-6, "a weight of 0");
        Assert.That(tape.State.GetDouble(term), Is.Zero);

        tape.State.Set(weight, 0.25);
        tape.State.ClearLosses();
        Assert.That(Numbers.RelativeError(policy.Train(plan).Gradients, without), Is.GreaterThan(0.001));
        using DeviceBuffer arena = policy.Model.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        tape.State.ClearLosses();
        plan.Run();
        double[] nats = Host.Read(policy.Model.Backend, plan[rows]);
        Assert.That(nats.Where((_, i) => policy.Targets[i] < 0), Is.All.Zero);
        Assert.That(nats.Where((_, i) => policy.Targets[i] >= 0), Is.All.Positive);
        Assert.That(tape.State.GetDouble(term), Is.EqualTo(0.25 * nats.Sum() / policy.Targets.Count(t => t >= 0)).Within(1e-6));
    }

    [Test]
    public void DivergencesAreThosePublished()
    {
        string folder = SharedData.Path("peers/preference");
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(folder, "preference.safetensors"));
        using Transformer policy = Load("policy"), reference = Load("reference");
        long[] tokens = Integers("input_ids"), mask = Integers("attention_mask");
        var owned = new List<IDisposable>();
        int[] shape = [.. file["input_ids"].Shape.Select(n => (int)n)];
        var tape = new Tape(Backend());
        Tensor ids = tape.External("tokens", Host.New(Backend(), shape, Array.ConvertAll(tokens, t => (int)t), owned));
        Tensor marks = tape.External("marks", Host.New(Backend(), shape, Array.ConvertAll(mask, m => (int)m - 1), owned));
        Tensor own = policy.RecordLogits(tape, ids), other = reference.RecordLogits(tape, ids);
        (Tensor Kl, string Name)[] both =
        [
            (KlDivergenceOp.Record(tape, own, other, marks), "kl_policy_reference_per_position"), (KlDivergenceOp.Record(tape, other, own, marks), "kl_reference_policy_per_position"),
        ];
        foreach ((Tensor kl, _) in both)
        {
            tape.Keep(kl);
        }

        var plan = new Plan(tape);
        using DeviceBuffer arena = Backend().Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        foreach ((Tensor kl, string name) in both)
        {
            var expected = new double[tokens.Length];
            file.Read(name, expected.AsSpan());
            double[] actual = Host.Read(Backend(), plan[kl]);
            Assert.That(actual.Where((_, i) => mask[i] == 1).Zip(expected.Where((_, i) => mask[i] == 1), (a, e) => Math.Abs(a - e)).Max(), Is.LessThan(2e-5), name);
            Assert.That(actual.Where((_, i) => mask[i] == 0), Is.All.Zero);
        }

        owned.ForEach(o => o.Dispose());

        long[] Integers(string name)
        {
            var values = new long[file[name].Count];
            file.Read(name, values.AsSpan());
            return values;
        }

        Transformer Load(string name)
        {
            using SafeTensorsFile weights = SafeTensorsFile.Open(Path.Combine(folder, name, ModelFile.Name));
            var config = new ModelConfig { Layers = 2, Width = 48, Heads = 4, KvHeads = 2, Context = 17, Vocab = 113, Hidden = 96, NormEpsilon = 1e-6 };
            return new Transformer(config, Backend(), new FileSource(weights), NameGlobs.None);
        }
    }

    // The policy as it was before its adapters: the same values but for a little, nothing of it trained.
    private static Transformer Reference(TinyModel policy)
    {
        ModelConfig config = policy.Model.Config with { Adapters = [] };
        var reference = new Transformer(config, policy.Model.Backend, new StoreSource(policy.Store), NameGlobs.None, policy.Store.Type);
        Parameter embedding = reference.Store["model.embed_tokens.weight"];
        Host.Write(reference.Store, embedding, [.. Host.Read(reference.Store, embedding).Select((v, i) => v + (0.1 * Math.Sin(i)))]);
        return reference;
    }

    private static (Tensor Rows, Tensor Term) Record(Tape tape, TinyModel policy, Transformer reference, double weight, bool policyFirst)
    {
        tape.State.Set(StepSlot.TargetCount, (long)policy.Targets.Count(t => t >= 0));
        Tensor tokens = policy.Integers(tape, "tokens", policy.Tokens), targets = policy.Integers(tape, "targets", policy.Targets);
        Tensor logits = policy.Model.RecordLogits(tape, tokens), expected;
        tape.AddLoss(CrossEntropyOp.Record(tape, logits, targets).Loss);
        using (tape.AsInEvaluation())
        {
            expected = reference.RecordLogits(tape, tokens);
        }

        StepSlot slot = tape.State.Add("kl weight");
        tape.State.Set(slot, weight);
        return policyFirst
            ? KlDivergenceOp.RecordTerm(tape, logits, expected, targets, slot)
            : KlDivergenceOp.RecordTerm(tape, expected, logits, targets, slot);
    }
}
