using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Residuals.References;

/// <summary>keep · x + gain · f(x), by what the sub-block is.</summary>
internal sealed class Scaled : ResidualReference
{
    public override Type Config => typeof(ScaledConfig);

    public override NaiveStream Begin(ResidualConfig residual, NaiveLayer model, double[][] embedding) => new Stream((ScaledConfig)residual, embedding);

    public override IEnumerable<(string Name, ModelConfig Model)> Variants(ResidualConfig tiny, ModelConfig small)
    {
        ModelConfig mixed = small with { Residual = tiny, Pattern = [new BlockConfig(), new BlockConfig { Mixer = LightningAttentionConfig.Tiny }] };
        return
        [
            .. base.Variants(tiny, small),
            ("scaled, of two kinds of mixers, norms on the stream itself", mixed with { NormPlace = NormPlaceKind.Stream, EmbeddingNorm = true }),
            ("scaled, mixer and feed-forward beside each other", mixed with { Parallel = ParallelKind.TwoNorms }),
        ];
    }

    private sealed class Stream(ScaledConfig config, double[][] x) : NaiveStream
    {
        private double[][] _x = x;

        public override void Around(NaiveLayer layer, string name, Func<double[][], double[][]> subBlock)
        {
            bool attends = layer.Model.LayerConfigs()[layer.Number].Mixer.Traits(layer.Model).PatternHeads > 0;
            (double keep, double gain) = name == "mlp_residual" ? (config.FeedForwardKeep, config.FeedForwardGain) : attends ? (config.AttentionKeep, config.AttentionGain) : (config.MixerKeep, config.MixerGain);
            _x = [.. _x.Zip(subBlock(_x), (row, made) => row.Zip(made, (v, f) => (keep * v) + (gain * f)).ToArray())];
        }

        public override void Change(Func<double[][], double[][]> make) => _x = make(_x);

        public override double[][] End(NaiveLayer model) => _x;
    }
}
