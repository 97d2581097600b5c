// The built-in toolkits of a gateway. This file is written from crates/gateway/toolkits by:
// UPDATE_DOCS=1 cargo test -p proxy-execute-gateway --test toolkits_page

import type { ToolkitFacts } from './toolkit';

/** The slug of a toolkit: a built-in one, or any other. */
export type ToolkitSlug =
  | 'agencyzoom'
  | 'airtable'
  | 'anthropic'
  | 'asana'
  | 'bill'
  | 'bitbucket'
  | 'cal'
  | 'canvas'
  | 'discord'
  | 'elevenlabs'
  | 'exa'
  | 'figma'
  | 'firecrawl'
  | 'github'
  | 'gmail'
  | 'google_maps'
  | 'googlebigquery'
  | 'googlecalendar'
  | 'googledocs'
  | 'googledrive'
  | 'googlesheets'
  | 'googletasks'
  | 'hackernews'
  | 'hubspot'
  | 'jira'
  | 'linear'
  | 'linkedin'
  | 'microsoft_teams'
  | 'notion'
  | 'openai'
  | 'outlook'
  | 'peopledatalabs'
  | 'perplexityai'
  | 'reddit'
  | 'sendgrid'
  | 'sentry'
  | 'serpapi'
  | 'shopify'
  | 'slack'
  | 'slackbot'
  | 'snowflake'
  | 'stripe'
  | 'supabase'
  | 'tavily'
  | 'trello'
  | 'twilio'
  | 'twitter'
  | 'wrike'
  | 'youtube'
  | 'zoom'
  | (string & Record<never, never>);

/** The pages and rate limits of their APIs. */
export const BUILT_IN: Readonly<Record<string, ToolkitFacts>> = {
  airtable: {
    pagination: {
      cursor: '/offset',
      items: '/records',
      kind: 'cursor',
      query: 'offset',
    },
  },
  asana: {
    pagination: {
      cursor: '/next_page/offset',
      items: '/data',
      kind: 'cursor',
      query: 'offset',
    },
  },
  bill: {
    pagination: {
      cursor: '/nextPage',
      items: '/results',
      kind: 'cursor',
      query: 'page',
    },
  },
  bitbucket: {
    pagination: {
      items: '/values',
      kind: 'link',
      link: '/next',
    },
  },
  canvas: {
    pagination: {
      kind: 'link',
    },
  },
  discord: {
    rate_limit: {
      header: 'x-ratelimit-reset-after',
      unit: 'seconds',
    },
  },
  elevenlabs: {
    pagination: {
      cursor: '/next_page_token',
      kind: 'cursor',
      more: '/has_more',
      query: 'next_page_token',
    },
  },
  figma: {
    pagination: {
      cursor: '/meta/cursor/after',
      items: '/meta/components',
      kind: 'cursor',
      query: 'after',
    },
  },
  firecrawl: {
    pagination: {
      items: '/data',
      kind: 'link',
      link: '/next',
    },
  },
  github: {
    pagination: {
      kind: 'link',
    },
    rate_limit: {
      header: 'x-ratelimit-reset',
      remaining: 'x-ratelimit-remaining',
      unit: 'epoch_seconds',
    },
  },
  gmail: {
    pagination: {
      cursor: '/nextPageToken',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pageToken',
    },
  },
  googlebigquery: {
    pagination: {
      cursor: '/nextPageToken',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pageToken',
    },
  },
  googlecalendar: {
    pagination: {
      cursor: '/nextPageToken',
      items: '/items',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pageToken',
    },
  },
  googledrive: {
    pagination: {
      cursor: '/nextPageToken',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pageToken',
    },
  },
  googletasks: {
    pagination: {
      cursor: '/nextPageToken',
      items: '/items',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pageToken',
    },
  },
  hackernews: {
    pagination: {
      items: '/hits',
      kind: 'page',
      query: 'page',
      start: 0,
      total_pages: '/nbPages',
    },
  },
  hubspot: {
    pagination: {
      body: '/after',
      cursor: '/paging/next/after',
      items: '/results',
      kind: 'cursor',
      query: 'after',
    },
    rate_limit: {
      header: 'x-hubspot-ratelimit-interval-milliseconds',
      remaining: 'x-hubspot-ratelimit-remaining',
      unit: 'milliseconds',
    },
  },
  jira: {
    pagination: {
      kind: 'offset',
      query: 'startAt',
      total: '/total',
    },
    rate_limit: {
      header: 'x-ratelimit-reset',
      unit: 'date',
    },
  },
  linear: {
    rate_limit: {
      header: 'x-ratelimit-requests-reset',
      remaining: 'x-ratelimit-requests-remaining',
      unit: 'epoch_milliseconds',
    },
  },
  linkedin: {
    pagination: {
      items: '/elements',
      kind: 'offset',
      query: 'start',
      total: '/paging/total',
    },
  },
  microsoft_teams: {
    pagination: {
      items: '/value',
      kind: 'link',
      link: '/@odata.nextLink',
    },
  },
  notion: {
    pagination: {
      body: '/start_cursor',
      cursor: '/next_cursor',
      items: '/results',
      kind: 'cursor',
      more: '/has_more',
      query: 'start_cursor',
    },
  },
  outlook: {
    pagination: {
      items: '/value',
      kind: 'link',
      link: '/@odata.nextLink',
    },
  },
  peopledatalabs: {
    pagination: {
      body: '/scroll_token',
      cursor: '/scroll_token',
      items: '/data',
      kind: 'cursor',
      query: 'scroll_token',
    },
  },
  reddit: {
    pagination: {
      cursor: '/data/after',
      items: '/data/children',
      kind: 'cursor',
      query: 'after',
    },
    rate_limit: {
      header: 'x-ratelimit-reset',
      remaining: 'x-ratelimit-remaining',
      unit: 'seconds',
    },
  },
  sentry: {
    pagination: {
      kind: 'link',
      link_attributes: {
        results: 'true',
      },
    },
    rate_limit: {
      header: 'x-sentry-rate-limit-reset',
      remaining: 'x-sentry-rate-limit-remaining',
      unit: 'epoch_seconds',
    },
  },
  serpapi: {
    pagination: {
      items: '/organic_results',
      kind: 'link',
      link: '/serpapi_pagination/next',
    },
  },
  shopify: {
    pagination: {
      kind: 'link',
    },
  },
  slack: {
    pagination: {
      cursor: '/response_metadata/next_cursor',
      kind: 'cursor',
      query: 'cursor',
    },
  },
  slackbot: {
    pagination: {
      cursor: '/response_metadata/next_cursor',
      kind: 'cursor',
      query: 'cursor',
    },
  },
  snowflake: {
    pagination: {
      items: '/data',
      kind: 'link',
    },
  },
  twitter: {
    pagination: {
      cursor: '/meta/next_token',
      items: '/data',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pagination_token',
    },
    rate_limit: {
      header: 'x-rate-limit-reset',
      remaining: 'x-rate-limit-remaining',
      unit: 'epoch_seconds',
    },
  },
  wrike: {
    pagination: {
      cursor: '/nextPageToken',
      items: '/data',
      kind: 'cursor',
      query: 'nextPageToken',
    },
  },
  youtube: {
    pagination: {
      cursor: '/nextPageToken',
      items: '/items',
      kind: 'cursor',
      may_omit_items: true,
      query: 'pageToken',
    },
  },
  zoom: {
    pagination: {
      cursor: '/next_page_token',
      kind: 'cursor',
      query: 'next_page_token',
    },
  },
};
