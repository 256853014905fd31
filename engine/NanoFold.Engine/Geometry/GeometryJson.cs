using System.Text.Json;

namespace NanoFold.Engine.Geometry;

/// <summary>A layer's figures as one line of <c>geometry.jsonl</c>; undefined ones are null. Figures end in <c>WithoutFirst</c> where position 0 is left out.</summary>
public static class GeometryJson
{
    public static void Write(Utf8JsonWriter json, long step, int tokens, LayerGeometry layer)
    {
        json.WriteNumber("step"u8, step);
        json.WriteNumber("layer"u8, layer.Layer);
        json.WriteString("point"u8, $"blocks.{layer.Layer}.hook_resid_post");
        json.WriteNumber("tokens"u8, tokens);
        Number(json, "norm"u8, layer.Residual.All.MeanNorm);
        Number(json, "normWithoutFirst"u8, layer.Residual.WithoutFirst.MeanNorm);
        Number(json, "meanCosine"u8, layer.Residual.All.MeanCosine);
        Number(json, "meanCosineWithoutFirst"u8, layer.Residual.WithoutFirst.MeanCosine);
        Number(json, "mixerShare"u8, layer.Mixer.All.Share);
        Number(json, "mixerCosine"u8, layer.Mixer.All.Cosine);
        Number(json, "feedForwardShare"u8, layer.FeedForward.All.Share);
        Number(json, "feedForwardCosine"u8, layer.FeedForward.All.Cosine);
        json.WriteString("spectrumStatus"u8, layer.Spectrum.Status.ToString());
        json.WriteNumber("spectrumPoints"u8, layer.Spectrum.Points);
        Number(json, "participationRatio"u8, layer.Spectrum.ParticipationRatio);
        Number(json, "erankSv"u8, layer.Spectrum.ErankSv);
        Number(json, "erankEig"u8, layer.Spectrum.ErankEig);
        Number(json, "firstEigenvalueShare"u8, layer.Spectrum.FirstShare);
        if (layer.Attention is { } attention)
        {
            Number(json, "attentionEntropy"u8, attention.All.Entropy);
            Number(json, "attentionEntropyShare"u8, attention.All.EntropyShare);
            Number(json, "firstTokenMass"u8, attention.All.FirstMass);
            Number(json, "firstTokenMassWithoutFirst"u8, attention.WithoutFirst.FirstMass);
        }

        if (layer.Gate is { } gate)
        {
            Number(json, "gateMean"u8, gate.Mean);
            Number(json, "gateClosedShare"u8, gate.ClosedShare);
        }

        if (layer.Experts is { } experts)
        {
            Number(json, "expertLoadEntropyShare"u8, layer.ExpertEntropy);
            json.WriteStartArray("expertLoad"u8);
            foreach (double share in experts)
            {
                json.WriteNumberValue(share);
            }

            json.WriteEndArray();
        }

        if (layer.Dimension is { } dimension)
        {
            WriteDimension(json, dimension);
        }
    }

    private static void WriteDimension(Utf8JsonWriter json, CalibratedDimension dimension)
    {
        DimensionEstimate measured = dimension.Measured;
        json.WriteStartObject("dimension"u8);
        json.WriteString("estimator"u8, measured.Method.Label);
        json.WriteString("status"u8, dimension.Status.ToString());
        json.WriteNumber("points"u8, measured.Points);
        json.WriteNumber("fractionKept"u8, measured.FractionKept);
        json.WriteNumber("duplicatesDropped"u8, measured.DuplicatesDropped);
        Number(json, "dimension"u8, measured.Dimension);
        Number(json, "gaussianDimension"u8, dimension.GaussianDimension);
        json.WriteString("gaussianRange"u8, dimension.Range.ToString());
        json.WriteNumber("gaussianPoints"u8, dimension.GaussianPoints);
        json.WriteEndObject();
    }

    private static void Number(Utf8JsonWriter json, ReadOnlySpan<byte> name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
