using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>Rotary positions: <c>rope_theta</c> and <c>rope_scaling</c>, or both in <c>rope_parameters</c>.</summary>
internal static class RopeKeys
{
    private const double UsualTheta = 10000;

    /// <summary>The model with the base that a configuration names.</summary>
    public static ModelConfig Read(ForeignConfig keys, ModelConfig model)
    {
        ForeignConfig? parameters = keys.Section("rope_parameters"), scaling = parameters ?? keys.Section("rope_scaling");
        double theta = parameters?.Number("rope_theta", keys.Number("rope_theta", UsualTheta)) ?? keys.Number("rope_theta", UsualTheta);
        string kind = scaling?.Text("rope_type", scaling.Text("type", "default")) ?? "default";
        return kind == "default"
            ? model with { RopeBase = theta }
            : throw scaling!.Fault(scaling.Has("rope_type") ? "rope_type" : "type", "scaled rotary positions are not supported");
    }

    /// <summary>The keys of a model of ours.</summary>
    public static void Write(ModelConfig model, JsonObject keys) => keys["rope_theta"] = model.RopeBase;
}
