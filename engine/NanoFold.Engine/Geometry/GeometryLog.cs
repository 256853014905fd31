using System.Text.Json;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry;

/// <summary>Lines of <c>geometry.jsonl</c>: one for each measure, place and measurement. The format is described in docs/geometry.md.</summary>
public static class GeometryLog
{
    /// <summary>The version that is written; lines of a file may be of several. Lines without a version are of the first.</summary>
    public const int Version = 2;

    /// <summary>The version of lines of one figure each, which are written after training.</summary>
    public const int FigureVersion = 3;

    /// <summary>Writes a line's properties.</summary>
    public static void Write(Utf8JsonWriter json, Measured measured)
    {
        json.WriteFigure("version"u8, Version);
        json.WriteFigure("step"u8, measured.Step);
        json.WriteString("measure"u8, measured.Measure.Kind);
        Write(json, measured.Place);
        json.WriteStartObject("figures"u8);
        foreach (Figure figure in measured.Figures)
        {
            Write(json, figure);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes the properties of a line of one figure.</summary>
    /// <param name="json">Where they go.</param>
    /// <param name="measured">What it was measured with, where and when.</param>
    /// <param name="figure">The figure.</param>
    /// <param name="control">What was measured in place of the model on its tokens; <c>none</c> for these.</param>
    public static void Write(Utf8JsonWriter json, Measured measured, Figure figure, string control)
    {
        json.WriteFigure("version"u8, FigureVersion);
        json.WriteFigure("step"u8, measured.Step);
        json.WriteString("measure"u8, measured.Measure.Kind);
        json.WriteString("figure"u8, figure.Name);
        Write(json, measured.Place);
        WriteValue(json, figure);
        json.WriteString("status"u8, figure.Status.ToString());
        json.WriteString("settings"u8, figure.Estimator);
        json.WriteFigure("n"u8, figure.Points);
        json.WriteString("control"u8, control);
    }

    private static void Write(Utf8JsonWriter json, FigurePlace place)
    {
        json.WriteString("scope"u8, place.Scope);
        json.WriteString("point"u8, place.Point);
        if (place.Other is { } other)
        {
            json.WriteString("other"u8, other);
        }

        if (place.Layer is { } layer)
        {
            json.WriteFigure("layer"u8, layer);
        }

        if (place.Head is { } head)
        {
            json.WriteFigure("head"u8, head);
        }

        if (place.Stream is { } stream)
        {
            json.WriteFigure("stream"u8, stream);
        }
    }

    private static void Write(Utf8JsonWriter json, Figure figure)
    {
        json.WriteStartObject(figure.Name);
        WriteValue(json, figure);
        if (figure.Status != GeometryStatus.Ok)
        {
            json.WriteString("status"u8, figure.Status.ToString());
        }

        json.WriteString("estimator"u8, figure.Estimator);
        json.WriteFigure("points"u8, figure.Points);
        json.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter json, Figure figure)
    {
        if (figure.Value is { } value)
        {
            json.WriteFigure("value"u8, value);
        }
        else
        {
            json.WriteNull("value"u8);
        }

        if (figure.Error is { } error)
        {
            json.WriteFigure("error"u8, error);
        }
    }
}
