// The built-in toolkits of a gateway. This file is written from crates/gateway/toolkits by:
// UPDATE_DOCS=1 cargo test -p proxy-execute-gateway --test toolkits_page

import type { ToolkitFacts } from './toolkit';

/** The slug of a toolkit: a built-in one, or any other. */
export type ToolkitSlug =
  | '_2chat'
  | 'abyssale'
  | 'acculynx'
  | 'active_campaign'
  | 'affinity'
  | 'agencyzoom'
  | 'agentql'
  | 'agenty'
  | 'ahrefs'
  | 'airtable'
  | 'aivoov'
  | 'alchemy'
  | 'algodocs'
  | 'algolia'
  | 'altoviz'
  | 'alttext_ai'
  | 'amara'
  | 'amazon'
  | 'ambee'
  | 'amplitude'
  | 'anchor_browser'
  | 'anthropic'
  | 'anthropic_administrator'
  | 'apaleo'
  | 'apify'
  | 'apollo'
  | 'asana'
  | 'ashby'
  | 'atlassian'
  | 'attio'
  | 'auth0'
  | 'autobound'
  | 'autom'
  | 'bamboohr'
  | 'bannerbear'
  | 'basecamp'
  | 'baselinker'
  | 'basin'
  | 'battlenet'
  | 'beamer'
  | 'beeminder'
  | 'bidsketch'
  | 'bigmailer'
  | 'bigml'
  | 'bigpicture_io'
  | 'bill'
  | 'bitbucket'
  | 'bitquery'
  | 'blackbaud'
  | 'boloforms'
  | 'booqable'
  | 'bouncer'
  | 'box'
  | 'brevo'
  | 'brex'
  | 'browserbase_tool'
  | 'btcpay_server'
  | 'bugsnag'
  | 'builtwith'
  | 'cal'
  | 'calendly'
  | 'campaign_cleaner'
  | 'canva'
  | 'canvas'
  | 'capsule_crm'
  | 'cardly'
  | 'castingwords'
  | 'centralstationcrm'
  | 'circleci'
  | 'clickmeeting'
  | 'clicksend'
  | 'clickup'
  | 'clockify'
  | 'cloudconvert'
  | 'cloudflare'
  | 'cloudflare_browser_rendering'
  | 'cloudlayer'
  | 'coda'
  | 'codacy'
  | 'codemagic'
  | 'coinbase'
  | 'coinmarketcal'
  | 'confluence'
  | 'contentful'
  | 'contentful_graphql'
  | 'coupa'
  | 'craftmypdf'
  | 'crowdin'
  | 'customerio'
  | 'daffy'
  | 'dart'
  | 'databricks'
  | 'datadog'
  | 'datagma'
  | 'datascope'
  | 'deel'
  | 'deepgram'
  | 'deepseek'
  | 'demio'
  | 'detrack'
  | 'dialmycalls'
  | 'dialpad'
  | 'diffbot'
  | 'digital_ocean'
  | 'discord'
  | 'discordbot'
  | 'docparser'
  | 'docraptor'
  | 'docugenerate'
  | 'documenso'
  | 'docuseal'
  | 'docusign'
  | 'doppler_marketing_automation'
  | 'doppler_secretops'
  | 'dropbox'
  | 'dropbox_sign'
  | 'dropcontact'
  | 'dynamics365'
  | 'elevenlabs'
  | 'emelia'
  | 'enigma'
  | 'esignatures_io'
  | 'espocrm'
  | 'eventbrite'
  | 'eversign'
  | 'exa'
  | 'excel'
  | 'facebook'
  | 'feathery'
  | 'figma'
  | 'files_com'
  | 'fillout_forms'
  | 'findymail'
  | 'finerworks'
  | 'fireberry'
  | 'firecrawl'
  | 'fireflies'
  | 'fluxguard'
  | 'folk'
  | 'formbricks'
  | 'formsite'
  | 'fraudlabs_pro'
  | 'freshbooks'
  | 'freshdesk'
  | 'freshservice'
  | 'fullenrich'
  | 'gamma'
  | 'gatherup'
  | 'gemini'
  | 'geoapify'
  | 'gigasheet'
  | 'gist'
  | 'gitea'
  | 'github'
  | 'gitlab'
  | 'givebutter'
  | 'gladia'
  | 'gleap'
  | 'gmail'
  | 'gong'
  | 'google_admin'
  | 'google_analytics'
  | 'google_classroom'
  | 'google_maps'
  | 'google_search_console'
  | 'googleads'
  | 'googlebigquery'
  | 'googlecalendar'
  | 'googledocs'
  | 'googledrive'
  | 'googlemeet'
  | 'googlephotos'
  | 'googlesheets'
  | 'googleslides'
  | 'googlesuper'
  | 'googletasks'
  | 'gorgias'
  | 'gosquared'
  | 'grist'
  | 'gumroad'
  | 'hackernews'
  | 'happy_scribe'
  | 'harvest'
  | 'hashnode'
  | 'helpdesk'
  | 'here'
  | 'heygen'
  | 'heyreach'
  | 'highergov'
  | 'highlevel'
  | 'honeyhive'
  | 'hookdeck'
  | 'hubspot'
  | 'hunter'
  | 'icypeas'
  | 'imagekit_io'
  | 'influxdb_cloud'
  | 'instagram'
  | 'instantly'
  | 'intercom'
  | 'ip2location'
  | 'ip2location_io'
  | 'ip2whois'
  | 'ipdata_co'
  | 'iqair_airvisual'
  | 'jigsawstack'
  | 'jira'
  | 'jotform'
  | 'jumpcloud'
  | 'junglescout'
  | 'kadoa'
  | 'keap'
  | 'keen_io'
  | 'kickbox'
  | 'kit'
  | 'klaviyo'
  | 'kommo'
  | 'laposta'
  | 'leadfeeder'
  | 'lemlist'
  | 'lessonspace'
  | 'lever'
  | 'linear'
  | 'linkedin'
  | 'linkhut'
  | 'linkup'
  | 'listennotes'
  | 'lmnt'
  | 'lodgify'
  | 'logo_dev'
  | 'loops_so'
  | 'mailchimp'
  | 'mailcoach'
  | 'mails_so'
  | 'mailsoftly'
  | 'mapbox'
  | 'mem'
  | 'mem0'
  | 'memberstack'
  | 'membervault'
  | 'metaads'
  | 'metabase'
  | 'microsoft_clarity'
  | 'microsoft_teams'
  | 'microsoft_tenant'
  | 'minerstat'
  | 'miro'
  | 'mixpanel'
  | 'monday'
  | 'moosend'
  | 'msg91'
  | 'mural'
  | 'mx_toolbox'
  | 'needle'
  | 'neon'
  | 'netsuite'
  | 'neutrino'
  | 'nocrm_io'
  | 'notion'
  | 'one_drive'
  | 'openai'
  | 'outlook'
  | 'pagerduty'
  | 'pandadoc'
  | 'pdf4me'
  | 'peopledatalabs'
  | 'perplexityai'
  | 'pipedrive'
  | 'posthog'
  | 'process_street'
  | 'productboard'
  | 'pushbullet'
  | 'quickbooks'
  | 'ramp'
  | 'recallai'
  | 'recruitee'
  | 'reddit'
  | 'retellai'
  | 'ring_central'
  | 'rocket_reach'
  | 'rocketlane'
  | 'salesforce'
  | 'salesforce_service_cloud'
  | 'seismic'
  | 'semanticscholar'
  | 'semrush'
  | 'sendgrid'
  | 'sentry'
  | 'serpapi'
  | 'servicenow'
  | 'share_point'
  | 'shopify'
  | 'shortcut'
  | 'simplesat'
  | 'slack'
  | 'slackbot'
  | 'smugmug'
  | 'snowflake'
  | 'splitwise'
  | 'spotify'
  | 'square'
  | 'stack_exchange'
  | 'strava'
  | 'stripe'
  | 'supabase'
  | 'survey_monkey'
  | 'tavily'
  | 'textrazor'
  | 'ticktick'
  | 'tiktok'
  | 'timely'
  | 'tisane'
  | 'todoist'
  | 'trello'
  | 'twilio'
  | 'twitch'
  | 'twitter'
  | 'typefully'
  | 'wakatime'
  | 'weathermap'
  | 'webex'
  | 'webflow'
  | 'whatsapp'
  | 'workday'
  | 'wrike'
  | 'xero'
  | 'yandex'
  | 'ynab'
  | 'yousearch'
  | 'youtube'
  | 'zendesk'
  | 'zenrows'
  | 'zenserp'
  | 'zeplin'
  | 'zoho'
  | 'zoho_bigin'
  | 'zoho_books'
  | 'zoho_desk'
  | 'zoho_inventory'
  | 'zoho_invoice'
  | 'zoho_mail'
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
  discordbot: {
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
  excel: {
    pagination: {
      items: '/value',
      kind: 'link',
      link: '/@odata.nextLink',
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
  gist: {
    pagination: {
      kind: 'link',
    },
    rate_limit: {
      header: 'x-ratelimit-reset',
      remaining: 'x-ratelimit-remaining',
      unit: 'epoch_seconds',
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
  microsoft_tenant: {
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
  one_drive: {
    pagination: {
      items: '/value',
      kind: 'link',
      link: '/@odata.nextLink',
    },
  },
  outlook: {
    pagination: {
      items: '/value',
      kind: 'link',
      link: '/@odata.nextLink',
    },
  },
  pagerduty: {
    pagination: {
      kind: 'offset',
      more: '/more',
      query: 'offset',
    },
    rate_limit: {
      header: 'ratelimit-reset',
      remaining: 'ratelimit-remaining',
      unit: 'seconds',
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
  share_point: {
    pagination: {
      items: '/value',
      kind: 'link',
      link: '/@odata.nextLink',
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
  yousearch: {
    rate_limit: {
      header: 'x-ratelimit-reset',
      remaining: 'x-ratelimit-remaining',
      unit: 'epoch_seconds',
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
